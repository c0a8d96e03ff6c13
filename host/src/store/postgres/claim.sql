-- $1 runner, $2 handlers, $3 places of each, $4 limit, $5 heartbeat interval in ms
with wanted as (
    select handler, greatest(min(places), 0) as places
    from unnest($2::text[], $3::int[]) as wanted (handler, places)
    group by handler
), candidate as materialized (
    select due.id, due.priority, due.run_at
    from wanted
    cross join lateral (
        select job.id, job.priority, job.run_at
        from generate_series(0, 9) as level (priority)
        cross join lateral (
            select id, priority, run_at
            from fm_jobs
            where handler = wanted.handler and priority = level.priority and run_at <= fm_now_ms()
                and status = 'pending' and attempts < max_attempts
            order by run_at, id
            limit case when wanted.places < $4::int then wanted.places else $4 + 100 end
        ) as job
        order by job.priority, job.run_at, job.id
        limit case when wanted.places < $4 then wanted.places else $4 + 100 end
    ) as due
), held as (
    select job.id
    from (select * from candidate order by priority, run_at, id) as candidate
    cross join lateral (
        select id
        from fm_jobs
        where id = candidate.id and status = 'pending' and run_at <= fm_now_ms()
            and max_attempts - attempts > 0
        for no key update skip locked
    ) as job
    limit $4
), taken as (
    update fm_jobs as job
    set status = 'running', attempts = job.attempts + 1, runner_id = $1,
        instance_id = gen_random_uuid()::text, heartbeat_at = fm_now_ms(), heartbeat_ms = $5::int,
        updated_at = fm_now_ms(), waiting = null
    where job.id = any(array(select id from held))
    returning job.id, job.instance_id, job.handler, job.input::text, job.attempts::bigint,
        job.max_attempts::bigint, job.waits::bigint, job.resumed_with::text, job.retry::text,
        job.heartbeat_timeout_ms, job.execution_id, job.step_id, job.checkpoint::text, job.heartbeat_at,
        job.priority::bigint, job.run_at
)
select taken.*, (select count(*) from candidate) > (select count(*) from taken) as more
from (select) as always
left join taken on true
order by taken.priority, taken.run_at, taken.id
