-- ?1 runner, ?2 handlers, ?3 versions
insert into fm_runners (id, handlers, versions) values (?1, ?2, ?3)
on conflict (id) do update
    set handlers = excluded.handlers, versions = excluded.versions, heartbeat_at = (select now from fm_clock)
