select name, cron, time_zone, handler, input::text, priority::bigint, max_attempts::bigint, missed,
    missed_max::bigint, paused::int::bigint as paused, next_at, last_at
from fm_schedules
where name = $1
