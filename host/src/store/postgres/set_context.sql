-- $1 execution, $2 key, $3 value. What its engine wrote there and is no object counts as
-- empty. Returns the size it comes to, for the caller to keep or to roll back.
update fm_executions
set context = case when jsonb_typeof(context) = 'object' then context else '{}' end
        || jsonb_build_object($2::text, $3::text::jsonb),
    updated_at = fm_now_ms()
where id = $1
returning octet_length(context::text)::bigint as bytes,
    (select count(*) from jsonb_object_keys(context)) as keys
