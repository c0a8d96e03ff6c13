-- $1 runner, $2 handlers, $3 versions
insert into fm_runners (id, handlers, versions) values ($1, $2::text::jsonb, $3::text::jsonb)
on conflict (id) do update
    set handlers = excluded.handlers, versions = excluded.versions, heartbeat_at = fm_now_ms()
