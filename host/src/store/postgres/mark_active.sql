-- $1 handler, $2 version
update fm_handler_versions set activated_at = fm_now_ms() where handler = $1 and version = $2
