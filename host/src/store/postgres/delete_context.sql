-- $1 execution, $2 key
update fm_executions set context = context - $2::text, updated_at = fm_now_ms() where id = $1
