-- $1 name, $2 next slot
update fm_schedules
set next_at = case when paused then $2::bigint else next_at end, paused = false, updated_at = fm_now_ms()
where name = $1
