-- ?1 id, ?2 execution, ?3 step, ?4 handler, ?5 input, ?6 delay in ms, ?7 priority, ?8 max attempts
insert into fm_jobs (id, execution_id, step_id, handler, input, run_at, priority, max_attempts)
values (?1, ?2, ?3, ?4, ?5, (select now from fm_clock) + ?6, ?7, ?8)
returning
    id, execution_id, step_id, handler, status, input, result, error, priority, run_at, waiting, attempts,
    max_attempts, runner_id, instance_id, heartbeat_at, progress, checkpoint, history, created_at, updated_at
