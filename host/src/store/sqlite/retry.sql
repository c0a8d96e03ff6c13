-- ?1 id
update fm_jobs
set status = 'pending', instance_id = null, attempts = 0, waits = 0, run_at = (select now from fm_clock),
    updated_at = (select now from fm_clock)
where id = ?1 and status in ('failed', 'cancelled')
returning id, execution_id, step_id
