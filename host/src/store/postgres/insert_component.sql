-- $1 digest, $2 bytes. Waits for whoever stores or removes the same.
insert into fm_components (digest, bytes) values ($1, $2)
on conflict (digest) do nothing
