-- ?1 handlers as a JSON array of [name, places]. Asked before a claim takes the write lock: an idle runner
-- writes nothing.
with level (priority) as (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))
select exists (
    select 1
    from json_each(?1) as wanted, level
    where wanted.value ->> 1 > 0 and exists (
        select 1
        from fm_jobs
        where handler = wanted.value ->> 0 and priority = level.priority
            and run_at <= (select now from fm_clock) and status = 'pending' and attempts < max_attempts)
) as due
