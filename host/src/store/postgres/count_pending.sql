-- $1 handler, $2 how many to count at most. In the order of the index, so that it is read and not
-- the table.
select count(*) as pending
from (
    select
    from fm_jobs
    where handler = $1 and status = 'pending' and attempts < max_attempts
    order by priority, run_at, id
    limit $2
) as stretch
