-- ?1 age in ms
select id, handlers, versions from fm_runners where heartbeat_at >= (select now from fm_clock) - ?1 order by id
