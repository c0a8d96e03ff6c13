-- $1 runner, $2 handlers, $3 places of each, $4 limit up to 1000, $5 heartbeat interval in ms, $6 to $9 where to begin:
-- handler, priority, run_at, id of the last job that was claimed there; elsewhere with the first job (ends.rs says why)
--
-- Always one row or more: `more` says whether due jobs are left, and id is null where none was taken. In no order:
-- to sort the rows here took an eighth of a claim's time. Jobs of a handler that is paused are not seen at all.
--
-- First a look without locks, handler by handler and priority by priority, each in its own stretch of the
-- index fm_jobs_due: jobs of other handlers, of later, and of signals cost nothing. It sees one job more than
-- the limit, and decides how many of each handler and priority are taken. Then so many rows of each stretch
-- are locked, past those that others hold: nothing is locked that is not taken, and rivals do not leave each
-- other empty-handed. The limits of 1000 are there for the planner, which cannot know the others. A row that
-- changed between the look and its lock has moved: it is not found where it was locked, and is left for the next.
--
-- An instance id is a UUID whose first 24 characters are drawn once a claim; the last 12 say where the row lay, so that
-- none repeats. To draw each took a tenth of a claim's time.
--
-- The commit does not wait for the disk: a claim that a crash of the server undoes is a lease that is lost, and
-- whatever the attempt stores durably makes the claim before it durable too.
with wanted as (
    select handler, least(greatest(min(places), 0), $4::int + 1) as places
    from unnest($2::text[], $3::int[]) as wanted (handler, places)
    where handler <> all(array(select name from fm_handlers where paused))
    group by handler
), ended as materialized (
    select * from unnest($6::text[], $7::int[], $8::bigint[], $9::text[]) as ended (handler, priority, run_at, id)
), candidate as materialized (
    select wanted.handler, due.priority, due.run_at, due.id
    from wanted
    cross join lateral (
        select first.id, first.priority, first.run_at
        from generate_series(0, 9) as level (priority)
        left join ended on ended.handler = wanted.handler and ended.priority = level.priority
        cross join lateral (
            select stretch.id, stretch.priority, stretch.run_at
            from (
                select id, priority, run_at
                from fm_jobs
                where handler = wanted.handler and priority = level.priority and run_at <= fm_now_ms()
                    and (run_at, id) >= (coalesce(ended.run_at, '-9223372036854775808'::bigint), coalesce(ended.id, ''))
                    and status = 'pending' and attempts < max_attempts
                order by run_at, id
                limit 1001
            ) as stretch
            limit wanted.places
        ) as first
        order by first.priority, first.run_at, first.id
        limit wanted.places
    ) as due
    order by due.priority, due.run_at, due.id
    limit $4 + 1
), share as materialized (
    select handler, priority, count(*) as jobs
    from (select handler, priority from candidate order by candidate.priority, run_at, id limit $4) as first
    group by handler, priority
), held as (
    select job.ctid
    from share
    left join ended on ended.handler = share.handler and ended.priority = share.priority
    cross join lateral (
        select stretch.ctid
        from (
            select ctid
            from fm_jobs
            where handler = share.handler and priority = share.priority and run_at <= fm_now_ms()
                and (run_at, id) >= (coalesce(ended.run_at, '-9223372036854775808'::bigint), coalesce(ended.id, ''))
                and status = 'pending' and attempts < max_attempts
            order by run_at, id
            limit 1000
            for no key update skip locked
        ) as stretch
        limit share.jobs
    ) as job
), taken as (
    update fm_jobs as job
    set status = 'running', attempts = job.attempts + 1, runner_id = $1,
        instance_id = (select left(gen_random_uuid()::text, 24)) || encode(tidsend(job.ctid), 'hex'),
        heartbeat_at = (select fm_now_ms()), beat_ms = $5::int,
        heartbeat_ms = greatest(job.heartbeat_ms, $5::int), updated_at = (select fm_now_ms()), waiting = null
    where job.ctid = any(array(select ctid from held))
    returning job.id, job.instance_id, job.handler, job.input::text, job.attempts::bigint,
        job.max_attempts::bigint, job.waits::bigint, job.resumed_with::text, job.retry::text,
        job.heartbeat_timeout_ms, job.execution_id, job.step_id, job.checkpoint::text, job.heartbeat_at,
        job.priority::bigint, job.run_at, job.pinned_version
)
select seen.jobs > (select count(*) from taken) as more, taken.*
from (
    select count(*) as jobs, set_config('synchronous_commit', 'off', true) as unhurried from candidate
) as seen
left join taken on true
