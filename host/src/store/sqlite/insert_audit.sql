-- ?1 handler, ?2 version, ?3 action, ?4 who, ?5 detail
insert into fm_handler_audit (handler, version, action, actor, detail) values (?1, ?2, ?3, ?4, ?5)
