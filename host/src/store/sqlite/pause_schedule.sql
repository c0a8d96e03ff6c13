update fm_schedules set paused = 1, updated_at = (select now from fm_clock) where name = ?1
