-- ?1 handler, ?2 version or null for all. In order, so that those who lock several wait in a line.
select distinct digest
from fm_handler_versions
where handler = ?1 and (?2 is null or version = ?2)
order by digest
