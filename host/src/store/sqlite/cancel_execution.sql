-- ?1 id. A trigger cancels its jobs.
update fm_executions
set status = 'cancelled', wake_at = null, updated_at = (select now from fm_clock)
where id = ?1 and status not in ('completed', 'failed', 'cancelled')
