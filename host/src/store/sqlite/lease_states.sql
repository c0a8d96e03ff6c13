-- ?1 leases as a JSON array of [job id, instance id]; one row a lease, in their order
select case
    when job.instance_id is not lease.value ->> 1 then 'lost'
    when job.status = 'running' then 'held'
    when job.status = 'cancelled' then 'cancelled'
    else 'lost' end as state
from json_each(?1) as lease
left join fm_jobs as job on job.id = lease.value ->> 0
order by lease.key
