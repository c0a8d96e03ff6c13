-- ?1 schedule, ?2 job id, ?3 slot
insert into fm_jobs (id, handler, input, run_at, priority, max_attempts, schedule)
select ?2, handler, input, ?3, priority, max_attempts, name from fm_schedules where name = ?1
