-- As create.sql, for jobs without a unique key: arrays of one length, a job a place: $1 id, $2 execution, $3 step,
-- $4 handler, $5 input, $6 delay in ms, $7 due at ms, $8 priority, $9 max attempts, $10 retry, $11 heartbeat timeout
-- in ms, $12 pinned version.
-- One row or more: the time at which they were created, and those that are not pending, with what they are instead.
with inserted as (
    insert into fm_jobs (id, execution_id, step_id, handler, input, run_at, priority, max_attempts, retry,
        heartbeat_timeout_ms, pinned_version, created_at, updated_at)
    select id, execution_id, step_id, handler, input::jsonb, coalesce(at_ms, (select fm_now_ms()) + delay_ms),
        priority, max_attempts, retry::jsonb, heartbeat_timeout_ms, pinned_version, (select fm_now_ms()),
        (select fm_now_ms())
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
        $8::int[], $9::int[], $10::text[], $11::bigint[], $12::text[])
        as asked (id, execution_id, step_id, handler, input, delay_ms, at_ms, priority, max_attempts, retry,
            heartbeat_timeout_ms, pinned_version)
    returning id, status
)
select fm_now_ms() as created_at, other.id, other.status
from (select) as always
left join (select id, status from inserted where status <> 'pending') as other on true
