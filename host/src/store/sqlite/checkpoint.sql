-- ?1 id, ?2 instance
select checkpoint from fm_jobs where id = ?1 and instance_id = ?2 and status = 'running'
