-- ?1 id, ?2 instance, ?3 the whole checkpoint or null
update fm_jobs
set checkpoint = ?3, heartbeat_at = (select now from fm_clock), updated_at = (select now from fm_clock)
where id = ?1 and instance_id = ?2 and status = 'running'
