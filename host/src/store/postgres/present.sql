-- $1 job ids. Returns those that there are.
select id from fm_jobs where id = any($1::text[])
