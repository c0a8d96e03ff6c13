-- $1 id, $2 instance
update fm_jobs
set checkpoint = null, heartbeat_at = fm_now_ms(), updated_at = fm_now_ms()
where id = $1 and instance_id = $2 and status = 'running'
