-- $1 handler or null, $2 limit
select at, handler, version, action, actor, detail
from fm_handler_audit
where $1::text is null or handler = $1
order by id desc
limit $2
