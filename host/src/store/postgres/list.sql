-- $1 status or null, $2 handler or null, $3 limit
select
    id, execution_id, step_id, handler, status, input::text, result::text, error::text,
    priority::bigint, run_at, waiting::text, attempts::bigint, max_attempts::bigint, waits::bigint,
    resumed_with::text, retry::text, heartbeat_timeout_ms, unique_key, schedule, pinned_version,
    runner_id, instance_id, heartbeat_at, progress::text, checkpoint::text, history::text, created_at,
    updated_at
from fm_jobs
where ($1::text is null or status = $1) and ($2::text is null or handler = $2)
order by created_at desc, id desc
limit $3
