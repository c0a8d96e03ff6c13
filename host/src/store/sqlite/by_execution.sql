select
    id, execution_id, step_id, handler, status, input, result, error, priority, run_at, waiting, attempts,
    max_attempts, waits, resumed_with, retry, heartbeat_timeout_ms, unique_key, schedule,
    pinned_version, runner_id, instance_id, heartbeat_at, progress, checkpoint, history, created_at,
    updated_at
from fm_jobs
where execution_id = ?1
order by created_at, id
