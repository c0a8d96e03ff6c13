-- ?1 how far a count goes, ?2 how far back ended jobs are read, in ms
-- Each number comes from the first rows of a stretch of an index.
with recursive
level (priority) as (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)),
pending (handler) as (
    select min(handler) from fm_jobs where status = 'pending' and attempts < max_attempts
    union all
    select (select min(job.handler) from fm_jobs as job
        where job.status = 'pending' and job.attempts < job.max_attempts and job.handler > pending.handler)
    from pending
    where pending.handler is not null
), running as (
    select handler, count(*) as jobs
    from (select handler from fm_jobs where status = 'running' limit ?1)
    group by handler
), ended as (
    select handler, sum(status = 'completed') as completed, sum(status = 'failed') as failed,
        sum(status = 'cancelled') as cancelled
    from (
        select * from (select handler, status from fm_jobs where status = 'completed'
            and status in ('completed', 'failed', 'cancelled')
            and updated_at >= (select now from fm_clock) - ?2 order by updated_at desc limit ?1)
        union all
        select * from (select handler, status from fm_jobs where status = 'failed'
            and status in ('completed', 'failed', 'cancelled')
            and updated_at >= (select now from fm_clock) - ?2 order by updated_at desc limit ?1)
        union all
        select * from (select handler, status from fm_jobs where status = 'cancelled'
            and status in ('completed', 'failed', 'cancelled')
            and updated_at >= (select now from fm_clock) - ?2 order by updated_at desc limit ?1)
    )
    group by handler
), known as (
    select handler from pending where handler is not null
    union select handler from running
    union select handler from ended
)
select known.handler,
    (select min(sum(jobs), ?1) from (select (select count(*) from (
        select 1 from fm_jobs where handler = known.handler and priority = level.priority
            and run_at <= (select now from fm_clock) and status = 'pending' and attempts < max_attempts
        limit ?1)) as jobs from level)) as due,
    (select (select now from fm_clock) - min(oldest) from (select (
        select run_at from fm_jobs where handler = known.handler and priority = level.priority
            and run_at <= (select now from fm_clock) and status = 'pending' and attempts < max_attempts
        order by run_at limit 1) as oldest from level)) as oldest_ms,
    (select min(sum(jobs), ?1) from (select (select count(*) from (
        select 1 from fm_jobs where handler = known.handler and priority = level.priority
            and run_at > (select now from fm_clock) and status = 'pending' and attempts < max_attempts
        limit ?1)) as jobs from level)) as later,
    (select min(sum(jobs), ?1) from (select (select count(*) from (
        select 1 from fm_jobs where handler = known.handler and priority = level.priority
            and run_at is null and status = 'pending' and attempts < max_attempts
        limit ?1)) as jobs from level)) as waiting,
    coalesce(running.jobs, 0) as running, coalesce(ended.completed, 0) as completed,
    coalesce(ended.failed, 0) as failed, coalesce(ended.cancelled, 0) as cancelled
from known
left join running on running.handler = known.handler
left join ended on ended.handler = known.handler
order by known.handler
