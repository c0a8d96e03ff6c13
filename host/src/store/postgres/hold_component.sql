-- $1 digest. Who removes the component waits until the transaction ends.
select digest from fm_components where digest = $1 for key share
