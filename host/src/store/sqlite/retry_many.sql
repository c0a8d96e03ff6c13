-- ?1 status, ?2 handler or null, ?3 limit. Jobs with a unique key are retried one by one: see keyed.sql.
-- The list of statuses is that of the index; what completed is not retried.
update fm_jobs
set status = 'pending', instance_id = null, attempts = 0, waits = 0, run_at = (select now from fm_clock),
    updated_at = (select now from fm_clock)
where id in (
    select id
    from fm_jobs
    where status = ?1 and status in ('completed', 'failed', 'cancelled') and status <> 'completed'
        and unique_key is null and (?2 is null or handler = ?2)
    order by updated_at
    limit ?3
)
returning id, execution_id, step_id
