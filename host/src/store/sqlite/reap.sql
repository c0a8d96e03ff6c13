-- ?1 threshold in ms, ?2 limit, ?3 error, ?4 how many history entries a job keeps
update fm_jobs
set status = case when attempts >= max_attempts then 'failed' else 'pending' end,
    error = ?3, run_at = (select now from fm_clock), updated_at = (select now from fm_clock),
    history = json_insert(
        case when json_array_length(history) >= ?4 then json_remove(history, '$[0]') else history end,
        '$[#]', json_object('attempt', attempts, 'instance_id', coalesce(instance_id, ''),
            'runner_id', runner_id, 'outcome', 'stalled', 'error', json(?3),
            'at', (select now from fm_clock)))
where id in (
    select id
    from fm_jobs
    where status = 'running' and heartbeat_at < (select now from fm_clock) - ?1
        and heartbeat_at < (select now from fm_clock) - 3 * heartbeat_ms
    order by heartbeat_at, id
    limit ?2
)
returning id, instance_id, attempts, handler, runner_id, status, execution_id, step_id
