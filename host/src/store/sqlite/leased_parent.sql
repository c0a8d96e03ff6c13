-- ?1 id, ?2 instance; no row when the lease is lost
select execution_id from fm_jobs where id = ?1 and instance_id = ?2 and status = 'running'
