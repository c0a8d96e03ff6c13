-- ?1 job id, ?2 instance id, ?3 status, ?4 outcome, ?5 result, ?6 error, ?7 delay in ms, ?8 due at ms,
-- ?9 refund, ?10 waiting, ?11 usage, ?12 progress, ?13 how many history entries a job keeps,
-- ?14 {version, digest} of the code that ran
update fm_jobs
set status = ?3, result = ?5, error = ?6,
    run_at = case
        when ?3 <> 'pending' then run_at
        when ?8 is not null then min(?8, (select now from fm_clock) + ?7)
        else (select now from fm_clock) + ?7 end,
    attempts = attempts - ?9, waiting = ?10, waits = waits + (?4 = 'waiting'),
    resumed_with = case when ?4 not in ('completed', 'waiting') then resumed_with end,
    instance_id = case when ?3 <> 'pending' then instance_id end, beat_ms = null,
    progress = coalesce(?12, progress),
    updated_at = (select now from fm_clock),
    history = json_insert(
        case when json_array_length(history) >= ?13 then json_remove(history, '$[0]') else history end,
        '$[#]', json_patch(json_object('attempt', attempts, 'instance_id', instance_id, 'runner_id', runner_id,
            'outcome', ?4, 'error', json(?6), 'usage', json(?11), 'at', (select now from fm_clock)),
            coalesce(?14, '{}')))
where id = ?1 and instance_id = ?2 and status = 'running'
returning execution_id, step_id
