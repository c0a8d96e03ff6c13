use super::{SqliteStore, sql};
use crate::store::{Notice, Notices, StoreError};
use sqlx::sqlite::SqlitePool;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{MissedTickBehavior, interval};

/// SQLite tells nobody of what others wrote; but looking costs a microsecond and reads nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Passes on what this process wrote as it happens, and looks for what others did.
pub(super) async fn listen(store: &SqliteStore) -> Result<Notices, StoreError> {
    let (sender, notices) = Notices::new();
    let own = store.notices.subscribe();
    // Before the caller goes on: it looks next, and what is committed after that look must be noticed.
    let seen = version(&store.writer).await?;
    tokio::spawn(pass_on(own, store.writer.clone(), seen, sender));
    Ok(notices)
}

/// Changes when another connection has committed something
/// (sqlite.org/pragma.html#pragma_data_version). Asked on the connection that writes, whose own changes do
/// not count.
async fn version(writer: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(sql::DATA_VERSION).fetch_one(writer).await
}

async fn pass_on(
    mut own: broadcast::Receiver<Notice>,
    writer: SqlitePool,
    mut seen: i64,
    notices: mpsc::Sender<Notice>,
) {
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                let Ok(version) = version(&writer).await else { return };
                if std::mem::replace(&mut seen, version) == version {
                    continue;
                }
                Notice::Changed
            }
        };
        let _ = notices.try_send(notice);
    }
}
