-- Arrays of one length: $1 handler, $2 unique key, $3 whether it is taken for a time; one row a place, in
-- their order: the job that holds the key, or null.
select
    job.id, execution_id, step_id, job.handler, status, input::text, result::text, error::text,
    priority::bigint, run_at, waiting::text, attempts::bigint, max_attempts::bigint, waits::bigint,
    resumed_with::text, retry::text, heartbeat_timeout_ms, job.unique_key, schedule, pinned_version,
    runner_id, instance_id, heartbeat_at, progress::text, checkpoint::text, history::text, created_at,
    updated_at
from unnest($1::text[], $2::text[], $3::boolean[]) with ordinality as asked (handler, unique_key, timed, place)
left join fm_unique_periods as period on asked.timed
    and period.handler = asked.handler and period.unique_key = asked.unique_key
left join lateral (
    select * from fm_jobs where asked.timed and id = period.job_id
    union all
    select * from fm_jobs
    where not asked.timed and handler = asked.handler and unique_key = asked.unique_key
        and status in ('pending', 'running')
) as job on true
order by asked.place
