-- $1 job ids, $2 instance ids, in pairs.
-- Completed jobs that nobody keeps. Those of executions and those that hold a key for a time stay, and are
-- recorded like others; so are those whose lease is lost, which tells so. For the order see record.sql. Most have no
-- such keys at all, which is asked once a statement.
delete from fm_jobs as job
using (
    select * from unnest($1::text[], $2::text[]) as asked (job_id, instance_id) order by job_id collate "C"
) as asked
where job.id = asked.job_id and case job.status when 'running' then job.instance_id end = asked.instance_id
    and job.execution_id is null
    and case when (select exists (select from fm_unique_periods))
        then not exists (select from fm_unique_periods as period where period.job_id = asked.job_id) else true end
