-- ?1 handler, ?2 unique key, ?3 job, ?4 time in ms. One row when the key was free, or its time over.
insert into fm_unique_periods (handler, unique_key, job_id, expires_at)
values (?1, ?2, ?3, (select now from fm_clock) + ?4)
on conflict (handler, unique_key) do update
    set job_id = excluded.job_id, expires_at = excluded.expires_at
    where expires_at <= (select now from fm_clock)
returning job_id
