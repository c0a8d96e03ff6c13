-- ?1 digest
select digest from fm_components where digest = ?1
