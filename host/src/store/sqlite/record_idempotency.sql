-- ?1 job id, ?2 instance, ?3 key, ?4 value, ?5 its time in ms or null. No row when the lease is lost or the
-- key is taken.
insert into fm_idempotency as memory (handler, key, value, job_id, created_at, expires_at)
select handler, ?3, ?4, id, (select now from fm_clock), (select now from fm_clock) + ?5
from fm_jobs
where id = ?1 and instance_id = ?2 and status = 'running'
on conflict (handler, key) do update
    set value = excluded.value, job_id = excluded.job_id, created_at = excluded.created_at,
        expires_at = excluded.expires_at
    where memory.expires_at <= (select now from fm_clock)
returning 1
