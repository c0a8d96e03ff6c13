-- ?1 age in ms of completed jobs, ?2 of failed, ?3 of cancelled, null to keep them; ?4 limit
with kept (status, age_ms) as (values ('completed', ?1), ('failed', ?2), ('cancelled', ?3))
delete from fm_jobs
where id in (
    select job.id
    from kept
    cross join fm_jobs as job on job.id in (
        select id
        from fm_jobs as old
        where old.status = kept.status and old.status in ('completed', 'failed', 'cancelled')
            and old.updated_at < (select now from fm_clock) - kept.age_ms
            and not exists (select 1 from fm_unique_periods as period
                where period.job_id = old.id and period.expires_at > (select now from fm_clock))
            and not exists (select 1 from fm_executions as execution
                where execution.id = old.execution_id
                    and execution.status not in ('completed', 'failed', 'cancelled'))
        order by old.updated_at
        limit ?4
    )
    limit ?4
)
