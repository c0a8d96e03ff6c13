-- ?1 at most so many rows, those first whose time ended first
delete from fm_idempotency
where (handler, key) in (
    select handler, key
    from fm_idempotency
    where expires_at <= (select now from fm_clock)
    order by expires_at
    limit ?1
)
