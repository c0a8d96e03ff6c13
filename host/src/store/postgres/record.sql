-- Arrays of one length, a recording a place: $1 job id, $2 instance id, $3 status, $4 outcome, $5 result,
-- $6 error, $7 delay in ms, $8 due at ms, $9 refund, $10 waiting, $11 usage, $12 progress,
-- $13 {version, digest} of the code that ran; $14 how many history entries a job keeps. One row a
-- recording, in their order.
-- A recording that finds itself in the history was written by an earlier call whose answer got lost.
-- An execution that waits for the job's step goes on with its result, or fails with it: in this statement,
-- so that no crash comes between.
with recording as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
        $7::bigint[], $8::bigint[], $9::int[], $10::text[], $11::text[], $12::text[],
        $13::text[])
        with ordinality as recording (job_id, instance_id, status, outcome, result, error, delay_ms,
            at_ms, refund, waiting, usage, progress, ran, place)
), held as (
    select job.id
    from fm_jobs as job
    join recording on job.id = recording.job_id and job.instance_id = recording.instance_id
    where job.status = 'running'
    order by job.id
    for no key update of job
), written as (
    update fm_jobs as job
    set status = recording.status,
        result = recording.result::jsonb,
        error = recording.error::jsonb,
        run_at = case when recording.status = 'pending'
            then least(recording.at_ms, fm_now_ms() + recording.delay_ms) else job.run_at end,
        attempts = job.attempts - recording.refund,
        waiting = recording.waiting::jsonb,
        waits = job.waits + (recording.outcome = 'waiting')::int,
        resumed_with = case when recording.outcome not in ('completed', 'waiting') then job.resumed_with end,
        instance_id = case when recording.status <> 'pending' then job.instance_id end,
        beat_ms = null,
        progress = coalesce(recording.progress::jsonb, job.progress),
        updated_at = fm_now_ms(),
        history = case when jsonb_array_length(job.history) >= $14 then job.history - 0 else job.history end
            || (jsonb_build_object('attempt', job.attempts, 'instance_id', job.instance_id,
                'runner_id', job.runner_id, 'outcome', recording.outcome,
                'error', recording.error::jsonb, 'usage', recording.usage::jsonb, 'at', fm_now_ms())
                || coalesce(recording.ran::jsonb, '{}'))
    from held, recording
    where job.id = held.id and recording.job_id = held.id
        and job.instance_id = recording.instance_id and job.status = 'running'
    returning job.id, recording.instance_id, recording.outcome, job.status, job.execution_id, job.step_id,
        job.result, job.error
), waiting as (
    select written.*
    from fm_executions as execution
    join written on execution.id = written.execution_id and execution.current_step = written.step_id
    where execution.status = 'waiting' and written.status in ('completed', 'failed')
    order by execution.id
    for no key update of execution
), woken as (
    update fm_executions as execution
    set context = case when waiting.status = 'completed'
            then case when jsonb_typeof(execution.context) = 'object' then execution.context else '{}' end
                || jsonb_build_object(waiting.step_id, coalesce(waiting.result, 'null'))
            else execution.context end,
        wake_at = case when waiting.status = 'completed' then fm_now_ms() end,
        status = case when waiting.status = 'completed' then execution.status else 'failed' end,
        error = case when waiting.status = 'completed' then execution.error
            else waiting.error || jsonb_build_object('jobId', waiting.id, 'stepId', waiting.step_id) end,
        updated_at = fm_now_ms()
    from waiting
    where execution.id = waiting.execution_id
)
select written.id is not null or coalesce(
    job.history @> jsonb_build_array(jsonb_build_object(
        'instance_id', recording.instance_id, 'outcome', recording.outcome)), false) as written
from recording
left join written on written.id = recording.job_id
    and written.instance_id = recording.instance_id and written.outcome = recording.outcome
left join fm_jobs as job on job.id = recording.job_id
order by recording.place
