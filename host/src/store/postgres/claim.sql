-- $1 runner, $2 handlers, $3 limit
-- Handler by handler, so that a backlog of jobs for other handlers costs nothing: each reads the first
-- due rows of its own stretch of the index fm_jobs_due. Rows that another transaction holds are skipped.
with due as (
    select candidate.id
    from (select distinct handler from unnest($2::text[]) as handler) as wanted
    cross join lateral (
        select id, priority, run_at
        from fm_jobs
        where handler = wanted.handler and status = 'pending' and run_at <= fm_now_ms()
            and attempts < max_attempts
        order by priority, run_at, id
        limit $3
        for update skip locked
    ) as candidate
    order by candidate.priority, candidate.run_at, candidate.id
    limit $3
)
update fm_jobs as job
set status = 'running', attempts = job.attempts + 1, runner_id = $1,
    instance_id = gen_random_uuid()::text, heartbeat_at = fm_now_ms(), updated_at = fm_now_ms(),
    waiting = null
from due
where job.id = due.id
returning job.id, job.instance_id, job.handler, job.input::text, job.attempts::bigint,
    job.max_attempts::bigint, job.execution_id, job.step_id, job.checkpoint::text, job.heartbeat_at,
    job.priority::bigint, job.run_at
