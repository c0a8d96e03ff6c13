-- $1 job ids, $2 instance ids, in pairs; one row a pair, in their order
-- A row that somebody else holds is passed over and counts as held: one that waits would keep all the
-- others from being beaten for.
-- The last select sees the rows as they were before: one that still looks held may be changed meanwhile,
-- and the next beat tells how. For the locks see record.sql.
with lease as (
    select *
    from unnest($1::text[], $2::text[]) with ordinality as lease (job_id, instance_id, place)
), held as (
    select lease.job_id
    from (select * from lease order by job_id collate "C") as lease
    cross join lateral (
        select status, instance_id from fm_jobs where id = lease.job_id limit 1
        for no key update skip locked
    ) as job
    where job.status = 'running' and job.instance_id = lease.instance_id
), beaten as (
    update fm_jobs set heartbeat_at = fm_now_ms() where id = any(array(select job_id from held))
)
select case
    when job.instance_id = lease.instance_id and job.status = 'running' then 'held'
    when job.instance_id = lease.instance_id and job.status = 'cancelled' then 'cancelled'
    else 'lost' end as state
from lease
left join fm_jobs as job on job.id = lease.job_id
order by lease.place
