-- $1 digest. Waits for whoever is pushing a version with it, so that the next statement sees that version.
select digest from fm_components where digest = $1 for update
