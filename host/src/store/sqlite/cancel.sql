-- ?1 id, ?2 how many history entries a job keeps
update fm_jobs
set status = 'cancelled', updated_at = (select now from fm_clock), waiting = null,
    history = case when status = 'running' then json_insert(
        case when json_array_length(history) >= ?2 then json_remove(history, '$[0]') else history end,
        '$[#]', json_object('attempt', attempts, 'instance_id', coalesce(instance_id, ''),
            'runner_id', runner_id, 'outcome', 'cancelled', 'at', (select now from fm_clock)))
        else history end
where id = ?1 and status in ('pending', 'running')
