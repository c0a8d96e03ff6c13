-- ?1 name, ?2 cron, ?3 time zone, ?4 handler, ?5 input, ?6 priority, ?7 max attempts, ?8 missed, ?9 missed
-- max, ?10 next slot
insert into fm_schedules
    (name, cron, time_zone, handler, input, priority, max_attempts, missed, missed_max, next_at)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
on conflict (name) do update
set cron = excluded.cron, time_zone = excluded.time_zone, handler = excluded.handler,
    input = excluded.input, priority = excluded.priority, max_attempts = excluded.max_attempts,
    missed = excluded.missed, missed_max = excluded.missed_max, updated_at = (select now from fm_clock),
    next_at = case when cron = excluded.cron and time_zone = excluded.time_zone then next_at
        else excluded.next_at end
