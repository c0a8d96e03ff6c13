-- ?1 execution, ?2 the step it must wait at
select context from fm_executions where id = ?1 and status = 'waiting' and current_step = ?2
