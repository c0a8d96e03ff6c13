-- ?1 handler, ?2 version
update fm_handler_versions set activated_at = (select now from fm_clock) where handler = ?1 and version = ?2
