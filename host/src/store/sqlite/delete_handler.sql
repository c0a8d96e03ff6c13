-- ?1 name. Its versions go with it.
delete from fm_handlers where name = ?1
