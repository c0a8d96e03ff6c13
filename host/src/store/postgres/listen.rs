use super::{PgStore, sql};
use crate::store::{Notice, Notices, StoreError};
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

const CHANNEL: &str = "flowmonkey";
/// How often a listener sends itself a message. A line may be dead without a word: a firewall that forgot
/// it, or a transaction pooler that hands the connection to others.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long such a message may take.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Listens on a connection beside the pool's. The task ends with the line, or when nobody reads any more.
pub(super) async fn listen(store: &PgStore) -> Result<Notices, StoreError> {
    let options = (*store.pool.connect_options()).clone();
    let line =
        PgPoolOptions::new().max_connections(1).acquire_timeout(PING_TIMEOUT).connect_lazy_with(options);
    let listening = async {
        let mut listener = PgListener::connect_with(&line).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok::<_, sqlx::Error>(listener)
    };
    let listener = timeout(PING_TIMEOUT, listening).await;
    let listener = listener.map_err(|_| StoreError::timed_out(PING_TIMEOUT))??;
    let (sender, notices) = Notices::new();
    tokio::spawn(pass_on(listener, store.pool.clone(), sender));
    Ok(notices)
}

async fn pass_on(mut listener: PgListener, pool: PgPool, notices: mpsc::Sender<Notice>) {
    let ping = format!("ping {}", uuid::Uuid::new_v4().simple());
    let mut pings = interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // When the line counts as dead; none while no ping is under way.
    let mut deadline: Option<Instant> = None;
    loop {
        let received = tokio::select! {
            () = notices.closed() => return,
            received = listener.try_recv() => received,
            _ = pings.tick(), if deadline.is_none() => {
                let sent = sqlx::query(sql::PING).bind(&ping).execute(&pool);
                if !matches!(timeout(PING_TIMEOUT, sent).await, Ok(Ok(_))) {
                    return;
                }
                deadline = Some(Instant::now() + PING_TIMEOUT);
                continue;
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => return,
        };
        let Ok(Some(notification)) = received else { return };
        if notification.payload() == ping {
            deadline = None;
        } else if let Some(notice) = Notice::parse(notification.payload()) {
            // A listener that is so far behind will look anyway.
            let _ = notices.try_send(notice);
        }
    }
}
