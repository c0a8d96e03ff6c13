-- ?1 digest
delete from fm_components
where digest = ?1 and not exists (select 1 from fm_handler_versions where digest = ?1)
