-- What handlers remember to have done: shared by all jobs of a handler, and seen by no other. As text, since
-- recording the same thing again is told from recording another by its bytes.
create table fm_idempotency (
    handler text not null,
    key text not null,
    value text not null,
    -- Who recorded it, for people; the job may be gone.
    job_id text not null,
    created_at bigint not null,
    -- From then on it is as if it had never been recorded; null is for good.
    expires_at bigint,
    primary key (handler, key)
);
create index fm_idempotency_expired on fm_idempotency (expires_at) where expires_at is not null;
