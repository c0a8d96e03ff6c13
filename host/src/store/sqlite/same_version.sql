-- ?1 handler, ?2 digest, ?3 manifest, ?4 schemas
select version
from fm_handler_versions
where handler = ?1 and digest = ?2 and manifest = ?3 and schemas is ?4
order by number desc
limit 1
