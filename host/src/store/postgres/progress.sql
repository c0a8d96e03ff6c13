-- $1 id, $2 instance, $3 progress
update fm_jobs
set progress = $3::text::jsonb, heartbeat_at = fm_now_ms(), updated_at = fm_now_ms()
where id = $1 and instance_id = $2 and status = 'running'
