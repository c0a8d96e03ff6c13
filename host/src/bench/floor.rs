//! The least that a queue in Postgres costs: the same batches of the same table in plain statements, which check
//! nothing, know no lease, and leave behind what is left behind when history is kept, or nothing when it is not.

use super::scratch::Scratch;
use sqlx::{Connection, PgConnection, Row};
use std::time::{Duration, Instant};

/// As many jobs a batch as a runner leases ahead.
const BATCH: i64 = 500;

const CLAIM: &str = "
update fm_jobs
set status = 'running', attempts = attempts + 1, runner_id = $1, instance_id = gen_random_uuid()::text,
    heartbeat_at = fm_now_ms(), updated_at = fm_now_ms()
where id = any(array(
    select id from fm_jobs
    where handler = 'bench' and priority = 5 and run_at <= fm_now_ms() and status = 'pending'
        and attempts < max_attempts
    order by run_at, id limit $2 for update skip locked))
returning id, instance_id, input::text";

const KEEP: &str = "
update fm_jobs
set status = 'completed', result = '{\"sent\": true}', updated_at = fm_now_ms(),
    history = history || jsonb_build_object('attempt', attempts, 'instance_id', instance_id, 'runner_id', runner_id,
        'outcome', 'completed', 'at', fm_now_ms())
where id = any($1)";

const FORGET: &str = "delete from fm_jobs where id = any($1)";

/// How long so many clients take for all jobs there are.
pub(super) async fn drain(scratch: &Scratch, clients: usize, keep: bool) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for client in 0..clients {
        let url = scratch.url()?;
        under_way.spawn(async move { work(&url, client, keep).await });
    }
    while let Some(ended) = under_way.join_next().await {
        ended??;
    }
    Ok(begun.elapsed())
}

async fn work(url: &str, client: usize, keep: bool) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let runner_id = format!("raw-{client}");
    loop {
        let claimed = sqlx::query(CLAIM).bind(&runner_id).bind(BATCH).fetch_all(&mut connection).await?;
        if claimed.is_empty() {
            return Ok(connection.close().await?);
        }
        let ids = claimed.iter().map(|row| row.try_get("id")).collect::<Result<Vec<String>, _>>()?;
        let record = sqlx::query(if keep { KEEP } else { FORGET });
        record.bind(ids).execute(&mut connection).await?;
    }
}
