-- $1 how far a count goes, $2 how far back ended jobs are read, in ms
-- Each number comes from the first rows of a stretch of an index.
with recursive pending (handler) as (
    (select handler from fm_jobs where status = 'pending' and attempts < max_attempts
        order by handler limit 1)
    union all
    select (select job.handler from fm_jobs as job
        where job.status = 'pending' and job.attempts < job.max_attempts and job.handler > pending.handler
        order by job.handler limit 1)
    from pending
    where pending.handler is not null
), running as (
    select handler, count(*) as jobs
    from (select handler from fm_jobs where status = 'running' limit $1) as job
    group by handler
), ended as (
    select handler, count(*) filter (where status = 'completed') as completed,
        count(*) filter (where status = 'failed') as failed,
        count(*) filter (where status = 'cancelled') as cancelled
    from (values ('completed'), ('failed'), ('cancelled')) as final (name)
    cross join lateral (
        select handler, status from fm_jobs
        where status = final.name and status in ('completed', 'failed', 'cancelled')
            and updated_at >= fm_now_ms() - $2::bigint
        order by updated_at desc
        limit $1
    ) as job
    group by handler
), known as (
    select handler from pending where handler is not null
    union select handler from running
    union select handler from ended
)
select known.handler, due.jobs as due, due.oldest_ms, later.jobs as later, waiting.jobs as waiting,
    coalesce(running.jobs, 0) as running, coalesce(ended.completed, 0) as completed,
    coalesce(ended.failed, 0) as failed, coalesce(ended.cancelled, 0) as cancelled
from known
cross join lateral (
    select count(*) as jobs, fm_now_ms() - min(run_at) as oldest_ms
    from (select job.run_at from generate_series(0, 9) as level (priority)
        cross join lateral (
            select run_at from fm_jobs
            where handler = known.handler and priority = level.priority and run_at <= fm_now_ms()
                and status = 'pending' and attempts < max_attempts
            order by run_at, id
            limit $1
        ) as job
        limit $1) as job
) as due
cross join lateral (
    select count(*) as jobs
    from (select from generate_series(0, 9) as level (priority)
        cross join lateral (
            select from fm_jobs
            where handler = known.handler and priority = level.priority and run_at > fm_now_ms()
                and status = 'pending' and attempts < max_attempts
            limit $1
        ) as job
        limit $1) as job
) as later
cross join lateral (
    select count(*) as jobs
    from (select from generate_series(0, 9) as level (priority)
        cross join lateral (
            select from fm_jobs
            where handler = known.handler and priority = level.priority and run_at is null
                and status = 'pending' and attempts < max_attempts
            limit $1
        ) as job
        limit $1) as job
) as waiting
left join running on running.handler = known.handler
left join ended on ended.handler = known.handler
order by known.handler
