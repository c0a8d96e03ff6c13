-- $1 handlers whose jobs are counted over the whole fleet. Held until the transaction ends, so that no rival
-- counts what this one is about to take; never waited for. The first number is "fmfl", so that other programs' locks
-- in this database are others.
select handler, pg_try_advisory_xact_lock(1718445676, hashtext(handler)) as locked
from unnest($1::text[]) as handler
