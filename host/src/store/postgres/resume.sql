-- $1 id, $2 payload
update fm_jobs
set run_at = fm_now_ms(), resumed_with = $2::text::jsonb, waiting = null, updated_at = fm_now_ms()
where id = $1 and status = 'pending' and waiting is not null
