delete from fm_schedules where name = $1
