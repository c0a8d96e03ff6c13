-- ?1 handler, ?2 how many to count at most. Status by status, each along its index.
select count(*) as jobs
from (
    select * from (select 1 from fm_jobs where handler = ?1 and status = 'pending'
        and attempts < max_attempts limit ?2)
    union all
    select * from (select 1 from fm_jobs where handler = ?1 and status = 'pending'
        and attempts >= max_attempts limit ?2)
    union all
    select * from (select 1 from fm_jobs where handler = ?1 and status = 'running' limit ?2)
    limit ?2
)
