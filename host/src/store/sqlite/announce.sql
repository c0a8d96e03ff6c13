-- ?1 runner, ?2 handlers
insert into fm_runners (id, handlers) values (?1, ?2)
on conflict (id) do update set handlers = excluded.handlers, heartbeat_at = (select now from fm_clock)
