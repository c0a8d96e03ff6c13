-- $1 job id, $2 instance; no row when the lease is lost
select job.execution_id, coalesce(
    (select jsonb_agg(key order by key collate "C")
    from jsonb_object_keys(case when jsonb_typeof(execution.context) = 'object'
        then execution.context else '{}' end) as key),
    '[]')::text as value
from fm_jobs as job
left join fm_executions as execution on execution.id = job.execution_id
where job.id = $1 and job.instance_id = $2 and job.status = 'running'
