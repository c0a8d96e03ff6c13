-- $1 id, $2 how many history entries a job keeps
update fm_jobs
set status = 'cancelled', updated_at = fm_now_ms(), waiting = null,
    history = case when status = 'running' then
        case when jsonb_array_length(history) >= $2 then history - 0 else history end
        || jsonb_build_object('attempt', attempts, 'instance_id', coalesce(instance_id, ''),
            'runner_id', runner_id, 'outcome', 'cancelled', 'at', fm_now_ms())
        else history end
where id = $1 and status in ('pending', 'running')
