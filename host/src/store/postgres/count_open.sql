-- $1 handler, $2 how many to count at most. Status by status, each in the order of its index, so that it is read
-- and not the table.
select count(*) as jobs
from (
    (select from fm_jobs where handler = $1 and status = 'pending' and attempts < max_attempts
        order by priority, run_at, id limit $2)
    union all
    (select from fm_jobs where handler = $1 and status = 'pending' and attempts >= max_attempts
        order by id limit $2)
    union all
    (select from fm_jobs where handler = $1 and status = 'running' order by heartbeat_at limit $2)
    limit $2
) as stretch
