-- $1 threshold in ms, $2 limit; the same rows as reap.sql takes
select
    id, execution_id, step_id, handler, status, input::text, result::text, error::text,
    priority::bigint, run_at, waiting::text, attempts::bigint, max_attempts::bigint, waits::bigint,
    resumed_with::text, retry::text, heartbeat_timeout_ms, unique_key, schedule, pinned_version,
    runner_id, instance_id, heartbeat_at, progress::text, checkpoint::text, history::text, created_at,
    updated_at
from fm_jobs
where status = 'running' and heartbeat_at < fm_now_ms() - $1
    and heartbeat_at < fm_now_ms() - 3 * coalesce(beat_ms, heartbeat_ms)::bigint
order by heartbeat_at, id
limit $2
