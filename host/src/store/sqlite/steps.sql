-- ?1 leases as a JSON array of [job id, instance id]. Of those that hold, the jobs of executions, with their steps.
select job.id, job.execution_id, job.step_id
from json_each(?1) as lease
join fm_jobs as job on job.id = lease.value ->> 0 and job.instance_id = lease.value ->> 1
where job.status = 'running' and job.execution_id is not null
