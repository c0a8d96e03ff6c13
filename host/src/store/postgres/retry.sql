update fm_jobs
set status = 'pending', attempts = 0, run_at = fm_now_ms(), updated_at = fm_now_ms()
where id = $1 and status in ('failed', 'cancelled')
