-- $1 digest
select bytes from fm_components where digest = $1
