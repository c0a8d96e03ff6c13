-- $1 id. Before the execution itself, as record.sql does, so that the two never wait in a circle.
select id
from fm_jobs
where execution_id = $1 and status in ('pending', 'running')
order by id collate "C"
for no key update
