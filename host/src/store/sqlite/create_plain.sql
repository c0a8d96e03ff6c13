-- As create.sql, for jobs without a unique key: ?1 a JSON array of {id, execution_id, step_id, handler, input,
-- delay_ms, at_ms, priority, max_attempts, retry, heartbeat_timeout_ms, pinned_version}, where what is JSON is a
-- string of it.
insert into fm_jobs (id, execution_id, step_id, handler, input, run_at, priority, max_attempts, retry,
    heartbeat_timeout_ms, pinned_version, status)
select value ->> 'id', value ->> 'execution_id', value ->> 'step_id', value ->> 'handler', value ->> 'input',
    coalesce(value ->> 'at_ms', (select now from fm_clock) + (value ->> 'delay_ms')), value ->> 'priority',
    value ->> 'max_attempts', value ->> 'retry', value ->> 'heartbeat_timeout_ms', value ->> 'pinned_version',
    case when value ->> 'execution_id' in
            (select id from fm_executions where status in ('cancelling', 'cancelled'))
        then 'cancelled' else 'pending' end
from json_each(?1)
returning id, status, run_at, created_at
