-- $1 status, $2 handler or null. Newest first: of several jobs with one key that one comes back.
select id
from fm_jobs
where status = $1 and status in ('completed', 'failed', 'cancelled') and status <> 'completed'
    and unique_key is not null and ($2::text is null or handler = $2)
order by updated_at desc, id desc
