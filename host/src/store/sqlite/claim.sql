-- ?1 runner, ?2 handlers as a JSON array, ?3 limit
update fm_jobs
set status = 'running', attempts = attempts + 1, runner_id = ?1, instance_id = lower(hex(randomblob(16))),
    heartbeat_at = (select now from fm_clock), updated_at = (select now from fm_clock), waiting = null
where id in (
    select id
    from fm_jobs
    where status = 'pending' and handler in (select value from json_each(?2))
        and run_at <= (select now from fm_clock) and attempts < max_attempts
    order by priority, run_at, id
    limit ?3
)
returning id, instance_id, handler, input, attempts, max_attempts, execution_id, step_id, checkpoint,
    heartbeat_at, priority, run_at
