-- $1 id, $2 instance, $3 key, $4 value. What others wrote there and is no object counts as empty.
update fm_jobs
set checkpoint = case when jsonb_typeof(checkpoint) = 'object' then checkpoint else '{}' end
        || jsonb_build_object($3::text, $4::text::jsonb),
    heartbeat_at = fm_now_ms(), updated_at = fm_now_ms()
where id = $1 and instance_id = $2 and status = 'running'
