-- $1 runner, $2 handlers
insert into fm_runners (id, handlers) values ($1, $2::text::jsonb)
on conflict (id) do update set handlers = excluded.handlers, heartbeat_at = fm_now_ms()
