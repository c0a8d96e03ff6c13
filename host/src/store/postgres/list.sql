-- $1 status or null, $2 handler or null, $3 limit
-- Each status has its own way to what changed last: running jobs are few, the others have an index.
select
    id, execution_id, step_id, handler, status, input::text, result::text, error::text,
    priority::bigint, run_at, waiting::text, attempts::bigint, max_attempts::bigint, waits::bigint,
    resumed_with::text, retry::text, heartbeat_timeout_ms, unique_key, schedule, pinned_version,
    runner_id, instance_id, heartbeat_at, progress::text, checkpoint::text, history::text, created_at,
    updated_at
from (
    (select * from fm_jobs
    where status = 'pending' and coalesce($1::text, 'pending') = 'pending'
        and ($2::text is null or handler = $2)
    order by updated_at desc, id desc limit $3)
    union all
    (select * from fm_jobs
    where status = 'running' and coalesce($1::text, 'running') = 'running'
        and ($2::text is null or handler = $2)
    order by updated_at desc, id desc limit $3)
    union all
    (select ended.* from (values ('completed'), ('failed'), ('cancelled')) as final (name)
    cross join lateral (
        select * from fm_jobs
        where status = final.name and status in ('completed', 'failed', 'cancelled')
            and coalesce($1::text, final.name) = final.name and ($2::text is null or handler = $2)
        order by updated_at desc, id desc limit $3
    ) as ended)
) as job
order by updated_at desc, id desc
limit $3
