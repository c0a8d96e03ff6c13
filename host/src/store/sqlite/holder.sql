-- ?1 handler, ?2 unique key, ?3 whether it is taken for a time
select
    id, execution_id, step_id, handler, status, input, result, error, priority, run_at, waiting, attempts,
    max_attempts, waits, resumed_with, retry, heartbeat_timeout_ms, unique_key, schedule,
    pinned_version, runner_id, instance_id, heartbeat_at, progress, checkpoint, history, created_at,
    updated_at
from fm_jobs
where id = (
    select job_id from fm_unique_periods where ?3 and handler = ?1 and unique_key = ?2
    union all
    select id from fm_jobs
    where not ?3 and handler = ?1 and unique_key = ?2 and unique_key is not null
        and status in ('pending', 'running')
)
