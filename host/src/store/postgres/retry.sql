-- $1 id. An execution that failed with the job waits for it again.
with retried as (
    update fm_jobs
    set status = 'pending', instance_id = null, attempts = 0, waits = 0, run_at = fm_now_ms(), updated_at = fm_now_ms()
    where id = $1 and status in ('failed', 'cancelled')
    returning id, execution_id, step_id
), waiting as (
    update fm_executions as execution
    set status = 'waiting', error = null, wake_at = null, updated_at = fm_now_ms()
    from retried
    where execution.id = retried.execution_id and execution.status = 'failed'
        and execution.current_step = retried.step_id and execution.error ->> 'jobId' = retried.id
)
select id from retried
