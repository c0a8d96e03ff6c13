-- $1 age in ms
select id, handlers::text, versions::text from fm_runners where heartbeat_at >= fm_now_ms() - $1 order by id
