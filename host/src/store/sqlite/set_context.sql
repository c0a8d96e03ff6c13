-- ?1 execution, ?2 its whole context
update fm_executions set context = ?2, updated_at = (select now from fm_clock) where id = ?1
