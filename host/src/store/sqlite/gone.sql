-- ?1 leases as a JSON array of [job id, instance id]; one row a lease, in their order: whether its job is gone
select job.id is null as gone
from json_each(?1) as lease
left join fm_jobs as job on job.id = lease.value ->> 0
order by lease.key
