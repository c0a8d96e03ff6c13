-- ?1 threshold in ms. Asked before a reap takes the write lock: a reaper that finds nothing writes nothing.
select exists (
    select 1 from fm_jobs
    where status = 'running' and heartbeat_at < (select now from fm_clock) - ?1
        and heartbeat_at < (select now from fm_clock) - 3 * coalesce(beat_ms, heartbeat_ms)
) or exists (
    select 1 from fm_jobs where status = 'pending' and attempts >= max_attempts
) as stalled
