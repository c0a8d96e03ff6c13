-- $1 id, $2 instance, $3 key
update fm_jobs
set checkpoint = nullif(checkpoint - $3::text, '{}'), heartbeat_at = fm_now_ms(), updated_at = fm_now_ms()
where id = $1 and instance_id = $2 and status = 'running'
