-- Arrays of one length, a recording a place: $1 job id, $2 instance id, $3 status, $4 result, $5 error, $6 delay
-- in ms, $7 due at ms, $8 refund, $9 waiting, $10 progress, $11 history entry without its braces and what the row
-- knows; $12 how many history entries a job keeps. Returns the places of those that are written.
-- In the order of ids, as all our statements lock: a nested loop keeps it. The status is compared within an
-- expression, since the planner, which may believe that hardly anything runs, would begin with what runs.
-- The entry is text until it is whole: to put it together from jsonb takes three times as long.
-- An execution that waits for the job's step goes on with its result, or fails with it: in this statement,
-- so that no crash comes between.
with recording as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
        $8::int[], $9::text[], $10::text[], $11::text[])
        with ordinality as recording (job_id, instance_id, status, result, error, delay_ms, at_ms, refund, waiting,
            progress, entry, place)
), written as (
    update fm_jobs as job
    set status = recording.status,
        result = recording.result::jsonb,
        error = recording.error::jsonb,
        run_at = case when recording.status = 'pending'
            then least(recording.at_ms, (select fm_now_ms()) + recording.delay_ms) else job.run_at end,
        attempts = job.attempts - recording.refund,
        waiting = recording.waiting::jsonb,
        waits = job.waits + (recording.waiting is not null)::int,
        resumed_with = case when recording.status <> 'completed' and recording.waiting is null
            then job.resumed_with end,
        instance_id = case when recording.status <> 'pending' then job.instance_id end,
        beat_ms = null,
        progress = coalesce(recording.progress::jsonb, job.progress),
        updated_at = (select fm_now_ms()),
        history = case when jsonb_array_length(job.history) >= $12 then job.history - 0 else job.history end
            || format('[{"at":%s,"attempt":%s,"runner_id":%s,%s}]', (select fm_now_ms()), job.attempts,
                coalesce(to_json(job.runner_id), 'null'), recording.entry)::jsonb
    from (select * from recording order by job_id collate "C") as recording
    where job.id = recording.job_id
        and case job.status when 'running' then job.instance_id end = recording.instance_id
    returning recording.place, job.id, job.status, job.execution_id, job.step_id, job.result, job.error
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
select place from written
