-- Asked before the write lock is taken: a reaper that finds nothing to do writes nothing.
select exists (select 1 from fm_idempotency where expires_at <= (select now from fm_clock)) as expired
