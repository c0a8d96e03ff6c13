-- ?1 name, ?2 cron, ?3 time zone, ?4 next slot, all as they were read; ?5 the slot after, ?6 the last slot
-- that fires or null. No row when somebody else was quicker.
update fm_schedules
set next_at = ?5, last_at = coalesce(?6, last_at), updated_at = (select now from fm_clock)
where name = ?1 and cron = ?2 and time_zone = ?3 and next_at = ?4 and paused = 0
returning name
