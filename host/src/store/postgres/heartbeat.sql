-- $1 job ids, $2 instance ids, in pairs; one row a pair, in their order
-- A row that somebody else holds is passed over and counts as held: one that waits would keep all the
-- others from being beaten for.
-- The last select sees the rows as they were before: one that still looks held was changed meanwhile,
-- and the next beat tells how.
with lease as (
    select *
    from unnest($1::text[], $2::text[]) with ordinality as lease (job_id, instance_id, place)
), held as (
    select job.id
    from fm_jobs as job
    join lease on job.id = lease.job_id and job.instance_id = lease.instance_id
    where job.status = 'running'
    order by job.id
    for no key update of job skip locked
), beaten as (
    update fm_jobs as job
    set heartbeat_at = fm_now_ms()
    from held
    where job.id = held.id
    returning job.id, job.instance_id
)
select case
    when beaten.id is not null then 'held'
    when job.instance_id = lease.instance_id and job.status = 'running' then 'held'
    when job.instance_id = lease.instance_id and job.status = 'cancelled' then 'cancelled'
    else 'lost' end as state
from lease
left join beaten on beaten.id = lease.job_id and beaten.instance_id = lease.instance_id
left join fm_jobs as job on job.id = lease.job_id
order by lease.place
