-- ?1 execution, ?2 the step it must wait at, ?3 job, ?4 error
update fm_executions
set status = 'failed', wake_at = null, updated_at = (select now from fm_clock),
    error = json_set(?4, '$.jobId', ?3, '$.stepId', ?2)
where id = ?1 and status = 'waiting' and current_step = ?2
