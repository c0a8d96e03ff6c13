-- $1 execution, $2 key
update fm_executions
set context = case when jsonb_typeof(context) = 'object' then context - $2::text else '{}' end,
    updated_at = fm_now_ms()
where id = $1
