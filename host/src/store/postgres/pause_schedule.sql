update fm_schedules set paused = true, updated_at = fm_now_ms() where name = $1
