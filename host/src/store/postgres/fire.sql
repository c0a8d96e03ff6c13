-- $1 name, $2 cron, $3 time zone, $4 next slot, all as they were read; $5 the slot after; the jobs: $6 ids,
-- $7 slots. One row when the schedule was moved on, none when somebody else was quicker.
with moved as (
    update fm_schedules
    set next_at = $5, last_at = coalesce((select max(slot) from unnest($7::bigint[]) as slot), last_at),
        updated_at = fm_now_ms()
    where name = $1 and cron = $2 and time_zone = $3 and next_at = $4 and not paused
    returning name, handler, input, priority, max_attempts
), created as (
    insert into fm_jobs (id, handler, input, run_at, priority, max_attempts, schedule)
    select slot.id, moved.handler, moved.input, slot.at, moved.priority, moved.max_attempts, moved.name
    from moved
    cross join unnest($6::text[], $7::bigint[]) as slot (id, at)
)
select name from moved
