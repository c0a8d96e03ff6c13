-- ?1 limit
select name, cron, time_zone, handler, input, priority, max_attempts, missed, missed_max, paused, next_at,
    last_at
from fm_schedules
where paused = 0 and next_at <= (select now from fm_clock)
order by next_at, name
limit ?1
