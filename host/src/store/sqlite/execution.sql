select id, flow_id, status, current_step, coalesce(context, '{}') as context, wake_at, error
from fm_executions
where id = ?1
