-- What handlers remember to have done. As migrations/postgres/0003_idempotency.sql, which says more.

create table fm_idempotency (
    handler text not null,
    key text not null,
    value text not null,
    job_id text not null,
    created_at integer not null,
    expires_at integer,
    primary key (handler, key)
) strict;
create index fm_idempotency_expired on fm_idempotency (expires_at) where expires_at is not null;
