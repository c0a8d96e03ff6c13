-- ?1 runner, ?2 handlers as a JSON array of [name, places, how many of its jobs run at once at most or null],
-- ?3 limit, ?4 heartbeat interval in ms. No jobs of a handler that is paused.
-- Priority by priority, so that jobs which are not due yet cost nothing.
with level (priority) as (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)),
wanted (handler, places) as (
    select asked.value ->> 0, min(case when asked.value ->> 2 is null then asked.value ->> 1
        else min(asked.value ->> 1, (asked.value ->> 2) - (
            select count(*) from fm_jobs indexed by fm_jobs_heartbeat
            where status = 'running' and handler = asked.value ->> 0)) end)
    from json_each(?2) as asked
    where asked.value ->> 0 not in (select name from fm_handlers where paused)
    group by asked.value ->> 0
), candidate as (
    select job.id, job.priority, job.run_at, wanted.places,
        row_number() over (partition by wanted.handler order by job.priority, job.run_at, job.id) as place
    from wanted
    cross join level
    cross join fm_jobs as job on job.id in (
        select id
        from fm_jobs
        where handler = wanted.handler and priority = level.priority
            and run_at <= (select now from fm_clock) and status = 'pending' and attempts < max_attempts
        order by run_at, id
        limit ?3
    )
)
update fm_jobs
set status = 'running', attempts = attempts + 1, runner_id = ?1, instance_id = lower(hex(randomblob(16))),
    heartbeat_at = (select now from fm_clock), beat_ms = ?4, heartbeat_ms = max(heartbeat_ms, ?4),
    updated_at = (select now from fm_clock), waiting = null
where id in (select id from candidate where place <= places order by priority, run_at, id limit ?3)
returning id, instance_id, handler, input, attempts, max_attempts, waits, resumed_with, retry,
    heartbeat_timeout_ms, execution_id, step_id, checkpoint, heartbeat_at, priority, run_at,
    pinned_version
