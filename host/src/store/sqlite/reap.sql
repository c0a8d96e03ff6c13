-- Pending jobs without an attempt left, which a client or another program left behind, fail as well.
-- ?1 threshold in ms, ?2 limit, ?3 error, ?4 how many history entries a job keeps
update fm_jobs
set instance_id = case when attempts >= max_attempts then instance_id end, beat_ms = null,
    status = case when attempts >= max_attempts then 'failed' else 'pending' end,
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
        and heartbeat_at < (select now from fm_clock) - 3 * coalesce(beat_ms, heartbeat_ms)
    order by heartbeat_at, id
    limit ?2
) or id in (select id from fm_jobs where status = 'pending' and attempts >= max_attempts order by id
    limit ?2)
returning id, coalesce((select value ->> 'instance_id' from json_each(history) order by key desc limit 1), '')
        as instance_id, attempts, handler, runner_id, status, execution_id, step_id
