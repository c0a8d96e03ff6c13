-- ?1 handler, ?2 version
select older.version
from fm_handler_versions as version
join fm_handler_versions as older on older.handler = version.handler and older.number < version.number
where version.handler = ?1 and version.version = ?2 and older.activated_at is not null
order by older.number desc
limit 1
