-- $1 threshold in ms, $2 limit, $3 error, $4 how many history entries a job keeps
-- Pending jobs without an attempt left, which a client or another program left behind, fail as well.
-- A row that beats or is recorded while this waits is read again under its lock, and left alone. No runner
-- is taken from before it has missed three of its own beats, which is FlowMonkey's rule.
with stalled as (
    select id, instance_id
    from fm_jobs
    where status = 'running' and heartbeat_at < fm_now_ms() - $1
        and heartbeat_at < fm_now_ms() - 3 * coalesce(beat_ms, heartbeat_ms)::bigint
    order by heartbeat_at, id
    limit $2
    for update skip locked
), exhausted as (
    select id, instance_id
    from fm_jobs
    where status = 'pending' and attempts >= max_attempts
    order by id
    limit $2
    for update skip locked
), ended as (
    select * from stalled union all select * from exhausted
), reaped as (
    update fm_jobs as job
    set instance_id = case when job.attempts >= job.max_attempts then job.instance_id end, beat_ms = null,
        status = case when job.attempts >= job.max_attempts then 'failed' else 'pending' end,
        error = $3::text::jsonb, run_at = fm_now_ms(), updated_at = fm_now_ms(),
        history = case when jsonb_array_length(job.history) >= $4 then job.history - 0 else job.history end
            || jsonb_build_object('attempt', job.attempts, 'instance_id', coalesce(job.instance_id, ''),
                'runner_id', job.runner_id, 'outcome', 'stalled', 'error', $3::text::jsonb,
                'at', fm_now_ms())
    from ended
    where job.id = ended.id
    returning job.id, ended.instance_id, job.attempts, job.handler, job.runner_id, job.status,
        job.execution_id, job.step_id
), failed as (
    update fm_executions as execution
    set status = 'failed', wake_at = null, updated_at = fm_now_ms(),
        error = $3::text::jsonb || jsonb_build_object('jobId', reaped.id, 'stepId', reaped.step_id)
    from reaped
    where reaped.status = 'failed' and execution.id = reaped.execution_id
        and execution.status = 'waiting' and execution.current_step = reaped.step_id
)
select id, instance_id, attempts::bigint, handler, runner_id, status from reaped
