-- $1 age in ms of completed jobs, $2 of failed, $3 of cancelled, null to keep them; $4 limit
with old as (
    select job.id
    from (values ('completed', $1::bigint), ('failed', $2::bigint), ('cancelled', $3::bigint))
        as kept (status, age_ms)
    cross join lateral (
        select id
        from fm_jobs as job
        where job.status = kept.status and job.status in ('completed', 'failed', 'cancelled')
            and job.updated_at < fm_now_ms() - kept.age_ms
            and not exists (select from fm_unique_periods as period
                where period.job_id = job.id and period.expires_at > fm_now_ms())
            and not exists (select from fm_executions as execution
                where execution.id = job.execution_id
                    and execution.status not in ('completed', 'failed', 'cancelled'))
        order by job.updated_at
        limit $4
        for update skip locked
    ) as job
    limit $4
)
delete from fm_jobs as job using old where job.id = old.id
