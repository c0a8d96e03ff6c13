-- $1 job ids, $2 instance ids, in pairs; one row a pair, in their order
select case
    when job.instance_id = lease.instance_id and job.status = 'running' then 'held'
    when job.instance_id = lease.instance_id and job.status = 'cancelled' then 'cancelled'
    else 'lost' end as state
from unnest($1::text[], $2::text[]) with ordinality as lease (job_id, instance_id, place)
left join fm_jobs as job on job.id = lease.job_id
order by lease.place
