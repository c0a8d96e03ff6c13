-- ?1 status, ?2 age in ms, ?3 and ?4 the last row of the page before (updated_at, id), ?5 rows a page
-- One page of old rows along the index, and of each whether it may go.
select old.id, old.updated_at,
    not exists (select 1 from fm_unique_periods as period
        where period.job_id = old.id and period.expires_at > (select now from fm_clock))
    and not exists (select 1 from fm_executions as execution
        where execution.id = old.execution_id
            and execution.status not in ('completed', 'failed', 'cancelled')) as may_go
from (
    select id, updated_at, execution_id
    from fm_jobs
    where status = ?1 and status in ('completed', 'failed', 'cancelled')
        and updated_at < (select now from fm_clock) - ?2
        and (updated_at > ?3 or updated_at = ?3 and id > ?4)
    order by updated_at, id
    limit ?5
) as old
