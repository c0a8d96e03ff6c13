-- What many thousands of jobs a second showed to be dear. As migrations/postgres/0005_pace.sql, which says more.

drop index fm_jobs_created;
create index fm_jobs_pending on fm_jobs (updated_at) where status = 'pending';
