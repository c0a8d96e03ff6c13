-- ?1 threshold in ms, ?2 limit; the same rows as reap.sql takes
select
    id, execution_id, step_id, handler, status, input, result, error, priority, run_at, waiting, attempts,
    max_attempts, waits, resumed_with, retry, heartbeat_timeout_ms, unique_key, schedule,
    pinned_version, runner_id, instance_id, heartbeat_at, progress, checkpoint, history, created_at,
    updated_at
from fm_jobs
where status = 'running' and heartbeat_at < (select now from fm_clock) - ?1
    and heartbeat_at < (select now from fm_clock) - 3 * coalesce(beat_ms, heartbeat_ms)
order by heartbeat_at, id
limit ?2
