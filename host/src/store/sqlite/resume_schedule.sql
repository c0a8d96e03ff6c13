-- ?1 name, ?2 next slot
update fm_schedules
set next_at = case when paused then ?2 else next_at end, paused = 0,
    updated_at = (select now from fm_clock)
where name = ?1
