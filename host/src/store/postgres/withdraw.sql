delete from fm_runners where id = $1 or heartbeat_at < fm_now_ms() - 86400000
