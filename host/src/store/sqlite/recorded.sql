-- ?1 job id, ?2 instance id, ?3 outcome
-- Whether an earlier call, whose answer got lost, wrote this recording.
select 1
from fm_jobs as job, json_each(job.history) as entry
where job.id = ?1 and entry.value ->> 'instance_id' = ?2 and entry.value ->> 'outcome' = ?3
