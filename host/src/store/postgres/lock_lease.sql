-- $1 id, $2 instance. Holds the lease until the transaction ends.
select execution_id
from fm_jobs
where id = $1 and instance_id = $2 and status = 'running'
for no key update
