-- ?1 digest, ?2 bytes
insert into fm_components (digest, bytes) values (?1, ?2)
