select name, cron, time_zone, handler, input, priority, max_attempts, missed, missed_max, paused, next_at,
    last_at
from fm_schedules
where name = ?1
