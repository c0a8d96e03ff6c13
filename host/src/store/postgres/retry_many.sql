-- $1 status, $2 handler or null, $3 limit. Returns the ids of the jobs that are pending again. Jobs with a
-- unique key are retried one by one: see keyed.sql.
-- The list of statuses is that of the index; what completed is not retried.
with wanted as (
    select id
    from fm_jobs
    where status = $1 and status in ('completed', 'failed', 'cancelled') and status <> 'completed'
        and unique_key is null and ($2::text is null or handler = $2)
    order by updated_at
    limit $3
    for update skip locked
), retried as (
    update fm_jobs as job
    set status = 'pending', instance_id = null, attempts = 0, waits = 0, run_at = fm_now_ms(), updated_at = fm_now_ms()
    from wanted
    where job.id = wanted.id
    returning job.id, job.execution_id, job.step_id
), waiting as (
    update fm_executions as execution
    set status = 'waiting', error = null, wake_at = null, updated_at = fm_now_ms()
    from retried
    where execution.id = retried.execution_id and execution.status = 'failed'
        and execution.current_step = retried.step_id and execution.error ->> 'jobId' = retried.id
)
select id from retried
