-- $1 at most so many rows, those first whose time ended first
with expired as materialized (
    select handler, key
    from fm_idempotency
    where expires_at <= fm_now_ms()
    order by expires_at
    limit $1
    for update skip locked
)
delete from fm_idempotency as memory
using expired
where memory.handler = expired.handler and memory.key = expired.key
