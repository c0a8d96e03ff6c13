-- $1 threshold in ms, $2 limit, $3 error, $4 how many history entries a job keeps
-- A row that beats or is recorded while this waits is read again under its lock, and left alone.
with stalled as (
    select id
    from fm_jobs
    where status = 'running' and heartbeat_at < fm_now_ms() - $1
    order by heartbeat_at, id
    limit $2
    for update skip locked
)
update fm_jobs as job
set status = case when job.attempts >= job.max_attempts then 'failed' else 'pending' end,
    error = $3::text::jsonb, run_at = fm_now_ms(), updated_at = fm_now_ms(),
    history = case when jsonb_array_length(job.history) >= $4 then job.history - 0 else job.history end
        || jsonb_build_object('attempt', job.attempts, 'instance_id', coalesce(job.instance_id, ''),
            'runner_id', job.runner_id, 'outcome', 'stalled', 'error', $3::text::jsonb, 'at', fm_now_ms())
from stalled
where job.id = stalled.id
returning job.id, job.instance_id, job.handler, job.runner_id, job.status
