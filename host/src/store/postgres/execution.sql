select id, flow_id, status, current_step, coalesce(context, '{}')::text as context, wake_at, error::text
from fm_executions
where id = $1
