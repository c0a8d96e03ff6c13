-- $1 name. Whoever changes a handler holds its row until the transaction ends.
select name, active, canary, canary_percent::bigint, paused::int::bigint as paused, revision,
    (select pushed_at from fm_handler_versions where handler = name and version = active) as active_pushed_at,
    (select pushed_at from fm_handler_versions where handler = name and version = canary) as canary_pushed_at,
    updated_by, updated_at, last_number
from fm_handlers
where name = $1
for update
