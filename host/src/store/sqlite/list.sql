-- ?1 status or null, ?2 handler or null, ?3 limit
select
    id, execution_id, step_id, handler, status, input, result, error, priority, run_at, waiting, attempts,
    max_attempts, waits, resumed_with, retry, heartbeat_timeout_ms, unique_key, schedule,
    pinned_version, runner_id, instance_id, heartbeat_at, progress, checkpoint, history, created_at,
    updated_at
from fm_jobs
where (?1 is null or status = ?1) and (?2 is null or handler = ?2)
order by created_at desc, id desc
limit ?3
