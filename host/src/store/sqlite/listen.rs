use super::{SqliteStore, sql};
use crate::store::{Notice, Notices};
use sqlx::sqlite::SqlitePool;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{MissedTickBehavior, interval};

/// SQLite tells nobody of what others wrote; but looking costs a microsecond and reads nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Passes on what this process wrote as it happens, and looks for what others did.
pub(super) fn listen(store: &SqliteStore) -> Notices {
    let (sender, notices) = Notices::new();
    tokio::spawn(pass_on(store.notices.subscribe(), store.writer.clone(), sender));
    notices
}

async fn pass_on(mut own: broadcast::Receiver<Notice>, writer: SqlitePool, notices: mpsc::Sender<Notice>) {
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    loop {
        let notice = tokio::select! {
            () = notices.closed() => return,
            told = own.recv() => match told {
                Ok(notice) => notice,
                // So many at once that some are lost: any of them means "look".
                Err(broadcast::error::RecvError::Lagged(_)) => Notice::Changed,
                Err(broadcast::error::RecvError::Closed) => return,
            },
            _ = looks.tick() => {
                // On the connection that writes, whose own changes do not count
                // (sqlite.org/pragma.html#pragma_data_version).
                let asked = sqlx::query_scalar::<_, i64>(sql::DATA_VERSION).fetch_one(&writer).await;
                let Ok(version) = asked else { return };
                let is_new = seen.replace(version).is_some_and(|seen| seen != version);
                if !is_new {
                    continue;
                }
                Notice::Changed
            }
        };
        let _ = notices.try_send(notice);
    }
}
