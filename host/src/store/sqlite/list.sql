-- ?1 status or null, ?2 handler or null, ?3 limit
-- Each status has its own way to what changed last: running jobs are few, the others have an index.
select
    id, execution_id, step_id, handler, status, input, result, error, priority, run_at, waiting, attempts,
    max_attempts, waits, resumed_with, retry, heartbeat_timeout_ms, unique_key, schedule,
    pinned_version, runner_id, instance_id, heartbeat_at, progress, checkpoint, history, created_at,
    updated_at
from (
    select * from (select * from fm_jobs
        where status = 'pending' and coalesce(?1, 'pending') = 'pending' and (?2 is null or handler = ?2)
        order by updated_at desc, id desc limit ?3)
    union all
    select * from (select * from fm_jobs
        where status = 'running' and coalesce(?1, 'running') = 'running' and (?2 is null or handler = ?2)
        order by updated_at desc, id desc limit ?3)
    union all
    select * from (select * from fm_jobs
        where status = 'completed' and status in ('completed', 'failed', 'cancelled')
            and coalesce(?1, 'completed') = 'completed' and (?2 is null or handler = ?2)
        order by updated_at desc, id desc limit ?3)
    union all
    select * from (select * from fm_jobs
        where status = 'failed' and status in ('completed', 'failed', 'cancelled')
            and coalesce(?1, 'failed') = 'failed' and (?2 is null or handler = ?2)
        order by updated_at desc, id desc limit ?3)
    union all
    select * from (select * from fm_jobs
        where status = 'cancelled' and status in ('completed', 'failed', 'cancelled')
            and coalesce(?1, 'cancelled') = 'cancelled' and (?2 is null or handler = ?2)
        order by updated_at desc, id desc limit ?3)
)
order by updated_at desc, id desc
limit ?3
