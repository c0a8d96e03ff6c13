-- ?1 id, ?2 payload
update fm_jobs
set run_at = (select now from fm_clock), resumed_with = ?2, waiting = null,
    updated_at = (select now from fm_clock)
where id = ?1 and status = 'pending' and waiting is not null
