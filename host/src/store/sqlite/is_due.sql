-- ?1 handlers, as claim.sql has them. Asked before a claim takes the write lock: an idle runner writes nothing.
with level (priority) as (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))
select exists (
    select 1
    from json_each(?1) as wanted, level
    where wanted.value ->> 1 > 0 and exists (
        select 1
        from fm_jobs
        where handler = wanted.value ->> 0 and priority = level.priority
            and run_at <= (select now from fm_clock) and status = 'pending' and attempts < max_attempts)
    and wanted.value ->> 0 not in (select name from fm_handlers where paused)
    and (wanted.value ->> 2 is null or wanted.value ->> 2 > (
        select count(*) from fm_jobs indexed by fm_jobs_heartbeat
        where status = 'running' and handler = wanted.value ->> 0))
) as due
