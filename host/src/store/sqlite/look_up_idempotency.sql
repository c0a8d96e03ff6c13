-- ?1 job id, ?2 instance, ?3 key; no row when the lease is lost. The namespace is the job's own handler.
select memory.value
from fm_jobs as job
left join fm_idempotency as memory on memory.handler = job.handler and memory.key = ?3
    and (memory.expires_at is null or memory.expires_at > (select now from fm_clock))
where job.id = ?1 and job.instance_id = ?2 and job.status = 'running'
