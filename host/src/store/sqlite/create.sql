-- ?1 id, ?2 execution, ?3 step, ?4 handler, ?5 input, ?6 delay in ms, ?7 due at ms, ?8 priority, ?9 max
-- attempts, ?10 unique key, ?11 retry, ?12 heartbeat timeout in ms, ?13 pinned version.
-- No row when the key is taken.
-- A job that comes to a cancelled execution is cancelled as well.
insert into fm_jobs (id, execution_id, step_id, handler, input, run_at, priority, max_attempts, unique_key,
    retry, heartbeat_timeout_ms, pinned_version, status)
values (?1, ?2, ?3, ?4, ?5, coalesce(?7, (select now from fm_clock) + ?6), ?8, ?9, ?10, ?11, ?12, ?13,
    case when exists (select 1 from fm_executions where id = ?2 and status in ('cancelling', 'cancelled'))
        then 'cancelled' else 'pending' end)
on conflict (handler, unique_key) where unique_key is not null and status in ('pending', 'running')
    do nothing
returning id, status, run_at, created_at
