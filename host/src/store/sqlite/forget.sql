-- ?1 leases as a JSON array of [job id, instance id]
-- Completed jobs that nobody keeps. Those of executions and those that hold a key for a time stay.
delete from fm_jobs
where id in (
    select job.id
    from json_each(?1) as lease
    join fm_jobs as job on job.id = lease.value ->> 0 and job.instance_id = lease.value ->> 1
    where job.status = 'running' and job.execution_id is null
        and not exists (select 1 from fm_unique_periods as period where period.job_id = job.id))
