-- ?1 handler, ?2 version, ?3 how many to count at most
select count(*) as jobs
from (
    select 1
    from fm_jobs
    where handler = ?1 and pinned_version = ?2 and status in ('pending', 'running')
    limit ?3
) as stretch
