-- ?1 ids as a JSON array
delete from fm_jobs where id in (select value from json_each(?1))
