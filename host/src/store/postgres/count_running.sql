-- $1 handlers. One look at all that runs, however many handlers; those without a running job have no row.
select handler, count(*) as running
from fm_jobs
where status = 'running' and handler = any($1)
group by handler
