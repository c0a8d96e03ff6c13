-- ?1 execution, ?2 step, ?3 job that it failed with
update fm_executions
set status = 'waiting', error = null, wake_at = null, updated_at = (select now from fm_clock)
where id = ?1 and status = 'failed' and current_step = ?2 and error ->> 'jobId' = ?3
