-- Handlers that live in the database, so that a whole fleet runs the same ones; versions that jobs are pinned
-- to; and what a runner has of them.

-- Each component once, however many versions have it. What is compiled code already gains little from being
-- compressed again, and loses much time.
create table fm_components (
    digest text primary key check (digest ~ '^[0-9a-f]{64}$'),
    bytes bytea not null check (octet_length(bytes) between 1 and 268435456),
    created_at bigint not null default fm_now_ms()
);
alter table fm_components alter column bytes set storage external;

-- Whoever changes a handler locks its row first. One that does not live in the database has a row once it
-- was paused.
create table fm_handlers (
    name text primary key,
    active text,
    -- Some of the claims use another version: so many percent.
    canary text,
    canary_percent smallint check (canary_percent between 1 and 99),
    -- No claim takes its jobs.
    paused boolean not null default false,
    -- The highest number that a version of it ever had.
    last_number bigint not null default 0,
    revision bigint not null,
    updated_by text not null,
    updated_at bigint not null default fm_now_ms(),
    constraint fm_handlers_canary_check check ((canary is null) = (canary_percent is null)),
    constraint fm_handlers_beside_check check (canary is null or active is not null and canary <> active)
);

create table fm_handler_versions (
    handler text not null references fm_handlers (name) on delete cascade,
    version text not null,
    number bigint not null check (number > 0),
    digest text not null references fm_components (digest),
    manifest text not null,
    -- JSON, as it was pushed: what is pushed again is told by its text.
    metadata text,
    schemas text,
    signature text,
    source text,
    pushed_by text not null,
    pushed_at bigint not null default fm_now_ms(),
    -- When it became the active version last.
    activated_at bigint,
    primary key (handler, version),
    unique (handler, number)
);
create index fm_handler_versions_digest on fm_handler_versions (digest);
alter table fm_handlers add constraint fm_handlers_active_fkey
    foreign key (name, active) references fm_handler_versions (handler, version);
alter table fm_handlers add constraint fm_handlers_canary_fkey
    foreign key (name, canary) references fm_handler_versions (handler, version);

-- Who ran which version is in the histories of jobs: what a version is never changes.
create function fm_refuse_update() returns trigger language plpgsql as $$
begin
    raise exception 'a row of % never changes', tg_table_name using errcode = '23001';
end $$;
create trigger fm_components_immutable before update on fm_components for each row
    execute function fm_refuse_update();
create trigger fm_handler_versions_immutable before update of handler, version, number, digest, manifest,
    metadata, schemas, signature, source, pushed_by, pushed_at on fm_handler_versions for each row
    execute function fm_refuse_update();

-- Stays when the handler is removed.
create table fm_handler_audit (
    id bigint generated always as identity primary key,
    at bigint not null default fm_now_ms(),
    handler text not null,
    version text,
    action text not null,
    actor text not null,
    detail text
);
create index fm_handler_audit_handler on fm_handler_audit (handler, id);

create function fm_notify_handlers() returns trigger language plpgsql as $$
begin
    perform pg_notify('flowmonkey', 'handlers');
    return null;
end $$;
create trigger fm_handlers_changed after insert or update or delete on fm_handlers for each row
    execute function fm_notify_handlers();

-- The version that each attempt of the job runs; null is the one that is active then.
alter table fm_jobs add column pinned_version text;
-- What a version is needed for still.
create index fm_jobs_pinned on fm_jobs (handler, pinned_version)
    where pinned_version is not null and status in ('pending', 'running');

-- [{handler, version, digest, role, error?}]
alter table fm_runners add column versions jsonb not null default '[]';

drop function fm_enqueue(text, jsonb, bigint, bigint, int, int, text, bigint, text, text);

-- Creates a job inside the caller's own transaction and returns its id, or the id of the job that holds
-- its unique key: for good while that one is pending or running, or for unique_ms from its creation.
-- Times in milliseconds; run_at since 1970. With a pinned_version each attempt runs that version of the
-- handler.
create function fm_enqueue(
    handler text, input jsonb default 'null', run_at bigint default null, delay_ms bigint default 0,
    priority int default 0, max_attempts int default 3, unique_key text default null,
    unique_ms bigint default null, execution_id text default null, step_id text default null,
    pinned_version text default null
) returns text language plpgsql as $$
#variable_conflict use_column
declare
    new_id text := fm_new_id();
    found_id text;
begin
    if handler is null or octet_length(handler) not between 1 and 128 or handler ~ '[[:cntrl:]]' then
        raise exception 'the handler must have 1 to 128 bytes and no control character'
            using errcode = '22023';
    elsif input is null or octet_length(input::text) > 1048576 then
        raise exception 'the input must be JSON of at most 1048576 bytes' using errcode = '22023';
    elsif priority is null or priority not between 0 and 9 then
        raise exception 'priority % is not between 0 and 9', priority using errcode = '22023';
    elsif max_attempts is null or max_attempts not between 1 and 1000 then
        raise exception 'max_attempts % is not between 1 and 1000', max_attempts using errcode = '22023';
    elsif delay_ms is null or delay_ms not between 0 and 316224000000 then
        raise exception 'delay_ms % is not between 0 and ten years', delay_ms using errcode = '22023';
    elsif run_at not between 0 and 7258118400000 then
        raise exception 'run_at % is not in milliseconds between the years 1970 and 2200', run_at
            using errcode = '22023';
    elsif octet_length(execution_id) not between 1 and 128 or execution_id ~ '[[:cntrl:]]' then
        raise exception 'the execution_id must have 1 to 128 bytes and no control character'
            using errcode = '22023';
    elsif octet_length(step_id) not between 1 and 128 or step_id ~ '[[:cntrl:]]' then
        raise exception 'the step_id must have 1 to 128 bytes and no control character'
            using errcode = '22023';
    elsif octet_length(pinned_version) not between 1 and 128 or pinned_version ~ '[[:cntrl:]]' then
        raise exception 'the pinned_version must have 1 to 128 bytes and no control character'
            using errcode = '22023';
    elsif octet_length(unique_key) not between 1 and 256 then
        raise exception 'the unique key must have 1 to 256 bytes' using errcode = '22023';
    elsif unique_ms is not null and (unique_key is null or unique_ms not between 1 and 316224000000) then
        raise exception 'unique_ms must come with a unique_key and be between 1 and ten years'
            using errcode = '22023';
    end if;
    loop
        if unique_ms is not null then
            insert into fm_unique_periods as period (handler, unique_key, job_id, expires_at)
            values (fm_enqueue.handler, fm_enqueue.unique_key, new_id, fm_now_ms() + unique_ms)
            on conflict on constraint fm_unique_periods_pkey do update
                set job_id = excluded.job_id, expires_at = excluded.expires_at
                where period.expires_at <= fm_now_ms();
            if not found then
                select job_id into found_id from fm_unique_periods as period
                where period.handler = fm_enqueue.handler and period.unique_key = fm_enqueue.unique_key;
                if found then return found_id; end if;
                continue;
            end if;
        end if;
        insert into fm_jobs as job
            (id, handler, input, run_at, priority, max_attempts, unique_key, execution_id, step_id,
            pinned_version)
        values (new_id, fm_enqueue.handler, fm_enqueue.input,
            coalesce(fm_enqueue.run_at, fm_now_ms() + delay_ms), fm_enqueue.priority,
            fm_enqueue.max_attempts, case when unique_ms is null then fm_enqueue.unique_key end,
            fm_enqueue.execution_id, fm_enqueue.step_id, fm_enqueue.pinned_version)
        on conflict (handler, unique_key)
            where unique_key is not null and status in ('pending', 'running') do nothing;
        if found then return new_id; end if;
        select job.id into found_id from fm_jobs as job
        where job.handler = fm_enqueue.handler and job.unique_key = fm_enqueue.unique_key
            and job.status in ('pending', 'running');
        -- Else the holder ended between the two statements.
        if found then return found_id; end if;
    end loop;
end $$;
