-- $1 status, $2 age in ms, $3 and $4 the last row of the page before (updated_at, id), $5 rows a page
-- One page of old rows along the index, of which those go that may. One row: how many went, how many were
-- read, and the last of them.
with page as materialized (
    select id, updated_at, execution_id
    from fm_jobs
    where status = $1 and status in ('completed', 'failed', 'cancelled')
        and updated_at < fm_now_ms() - $2::bigint
        and (updated_at > $3 or updated_at = $3 and id > $4)
    order by updated_at, id
    limit $5
), doomed as (
    select job.id
    from page
    cross join lateral (
        select id from fm_jobs where id = page.id and status = $1 for update skip locked
    ) as job
    where not exists (select from fm_unique_periods as period
            where period.job_id = page.id and period.expires_at > fm_now_ms())
        and not exists (select from fm_executions as execution
            where execution.id = page.execution_id
                and execution.status not in ('completed', 'failed', 'cancelled'))
), gone as (
    delete from fm_jobs where id = any(array(select id from doomed)) returning id
)
select (select count(*) from gone) as gone, (select count(*) from page) as seen, last.updated_at, last.id
from (select) as always
left join (select updated_at, id from page order by updated_at desc, id desc limit 1) as last on true
