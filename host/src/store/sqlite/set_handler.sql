-- ?1 name, ?2 active version, ?3 canary, ?4 its percentage, ?5 whether it is paused, ?6 the highest number
-- of a version, ?7 who
update fm_handlers
set active = ?2, canary = ?3, canary_percent = ?4, paused = ?5, last_number = ?6, revision = revision + 1,
    updated_by = ?7, updated_at = (select now from fm_clock)
where name = ?1
