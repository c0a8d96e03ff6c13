-- ?1 name, ?2 who. The revision goes on where it ended when the handler was removed, since each change
-- leaves at least one line in the audit trail.
insert into fm_handlers (name, revision, updated_by)
values (?1, (select count(*) from fm_handler_audit where handler = ?1), ?2)
