-- $1 job id, $2 instance, $3 key, $4 value, $5 its time in ms or null. No row when the lease is lost; else
-- whether it was recorded, which it is not while the key is taken.
with lease as (
    select id, handler
    from fm_jobs
    where id = $1 and instance_id = $2 and status = 'running'
    for no key update
), recorded as (
    insert into fm_idempotency as memory (handler, key, value, job_id, created_at, expires_at)
    select handler, $3, $4, id, fm_now_ms(), fm_now_ms() + $5::bigint
    from lease
    on conflict (handler, key) do update
        set value = excluded.value, job_id = excluded.job_id, created_at = excluded.created_at,
            expires_at = excluded.expires_at
        where memory.expires_at <= fm_now_ms()
    returning 1
)
select exists (select from recorded) as recorded
from lease
