delete from fm_runners where id = ?1 or heartbeat_at < (select now from fm_clock) - 86400000
