-- Arrays of one length, a job a place: $1 id, $2 execution, $3 step, $4 handler, $5 input, $6 delay in ms,
-- $7 due at ms, $8 priority, $9 max attempts, $10 unique key, $11 its time in ms (null: while the job is
-- pending or running), $12 retry, $13 heartbeat timeout in ms, $14 pinned version.
-- Returns the jobs that are new, and what the database decided of them. In the order of keys, so that two calls which share some wait for each
-- other in a line and not in a circle.
with asked as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
        $7::bigint[], $8::int[], $9::int[], $10::text[], $11::bigint[], $12::text[], $13::bigint[],
        $14::text[])
        as asked (id, execution_id, step_id, handler, input, delay_ms, at_ms, priority, max_attempts,
            unique_key, unique_ms, retry, heartbeat_timeout_ms, pinned_version)
), period as (
    insert into fm_unique_periods as period (handler, unique_key, job_id, expires_at)
    select distinct on (handler collate "C", unique_key collate "C") handler, unique_key, id, fm_now_ms() + unique_ms
    from asked
    where unique_ms is not null
    order by handler collate "C", unique_key collate "C", id collate "C"
    on conflict (handler, unique_key) do update
        set job_id = excluded.job_id, expires_at = excluded.expires_at
        where period.expires_at <= fm_now_ms()
    returning job_id
)
insert into fm_jobs (id, execution_id, step_id, handler, input, run_at, priority, max_attempts, unique_key,
    timed_key, retry, heartbeat_timeout_ms, pinned_version)
select id, execution_id, step_id, handler, input::jsonb, coalesce(at_ms, fm_now_ms() + delay_ms), priority,
    max_attempts, case when unique_ms is null then unique_key end, unique_ms is not null, retry::jsonb,
    heartbeat_timeout_ms, pinned_version
from asked
where unique_ms is null or id in (select job_id from period)
order by handler collate "C", unique_key collate "C", id collate "C"
on conflict (handler, unique_key) where unique_key is not null and status in ('pending', 'running')
    do nothing
returning id, status, run_at, created_at
