select
    id, execution_id, step_id, handler, status, input::text, result::text, error::text,
    priority::bigint, run_at, waiting::text, attempts::bigint, max_attempts::bigint, waits::bigint,
    resumed_with::text, retry::text, heartbeat_timeout_ms, unique_key, schedule, pinned_version,
    runner_id, instance_id, heartbeat_at, progress::text, checkpoint::text, history::text, created_at,
    updated_at
from fm_jobs
where execution_id = $1
order by created_at, id
