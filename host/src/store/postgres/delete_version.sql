-- $1 handler, $2 version
delete from fm_handler_versions where handler = $1 and version = $2
