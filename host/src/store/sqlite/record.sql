-- ?1 recordings as a JSON array of {job_id, instance_id, status, result, error, delay_ms, at_ms, refund, waiting,
-- progress, entry}, where what is JSON is a string of it; the entry of the history without its braces and what the
-- row knows; ?2 how many history entries a job keeps
with recording (job_id, instance_id, status, result, error, delay_ms, at_ms, refund, waiting, progress, entry) as (
    select value ->> 'job_id', value ->> 'instance_id', value ->> 'status', value ->> 'result',
        value ->> 'error', value ->> 'delay_ms', value ->> 'at_ms', value ->> 'refund', value ->> 'waiting',
        value ->> 'progress', value ->> 'entry'
    from json_each(?1)
)
update fm_jobs
set status = recording.status, result = recording.result, error = recording.error,
    run_at = case
        when recording.status <> 'pending' then run_at
        when recording.at_ms is not null
            then min(recording.at_ms, (select now from fm_clock) + recording.delay_ms)
        else (select now from fm_clock) + recording.delay_ms end,
    attempts = attempts - recording.refund, waiting = recording.waiting,
    waits = waits + (recording.waiting is not null),
    resumed_with = case when recording.status <> 'completed' and recording.waiting is null
        then resumed_with end,
    instance_id = case when recording.status <> 'pending' then fm_jobs.instance_id end, beat_ms = null,
    progress = coalesce(recording.progress, fm_jobs.progress),
    updated_at = (select now from fm_clock),
    history = case
        when history = '[]' then '[{"at":' || (select now from fm_clock) || ',"attempt":' || attempts
            || ',"runner_id":' || json_quote(runner_id) || ',' || recording.entry || '}]'
        else json_insert(
            case when json_array_length(history) >= ?2 then json_remove(history, '$[0]') else history end,
            '$[#]', json('{"at":' || (select now from fm_clock) || ',"attempt":' || attempts
                || ',"runner_id":' || json_quote(runner_id) || ',' || recording.entry || '}')) end
from recording
where fm_jobs.id = recording.job_id and fm_jobs.instance_id = recording.instance_id
    and fm_jobs.status = 'running'
