-- Handlers that live in the database, versions that jobs are pinned to, and what a runner has of them. As
-- migrations/postgres/0004_handlers.sql, which says more.

create table fm_components (
    digest text primary key check (length(digest) = 64 and digest not glob '*[^0-9a-f]*'),
    bytes blob not null check (length(bytes) between 1 and 268435456),
    created_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer))
) strict;

create table fm_handlers (
    name text primary key,
    active text,
    canary text,
    canary_percent integer check (canary_percent between 1 and 99),
    paused integer not null default 0 check (paused in (0, 1)),
    last_number integer not null default 0,
    revision integer not null,
    updated_by text not null,
    updated_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
    constraint fm_handlers_canary_check check ((canary is null) = (canary_percent is null)),
    constraint fm_handlers_beside_check check (canary is null or active is not null and canary <> active),
    foreign key (name, active) references fm_handler_versions (handler, version),
    foreign key (name, canary) references fm_handler_versions (handler, version)
) strict;

create table fm_handler_versions (
    handler text not null references fm_handlers (name) on delete cascade,
    version text not null,
    number integer not null check (number > 0),
    digest text not null references fm_components (digest),
    manifest text not null,
    metadata text check (json_valid(metadata)),
    schemas text check (json_valid(schemas)),
    signature text,
    source text,
    pushed_by text not null,
    pushed_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
    activated_at integer,
    primary key (handler, version),
    unique (handler, number)
) strict;
create index fm_handler_versions_digest on fm_handler_versions (digest);

create trigger fm_components_immutable before update on fm_components
begin
    select raise(abort, 'a row of fm_components never changes');
end;
create trigger fm_handler_versions_immutable before update of handler, version, number, digest, manifest,
    metadata, schemas, signature, source, pushed_by, pushed_at on fm_handler_versions
begin
    select raise(abort, 'a row of fm_handler_versions never changes');
end;

create table fm_handler_audit (
    id integer primary key autoincrement,
    at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
    handler text not null,
    version text,
    action text not null,
    actor text not null,
    detail text
) strict;
create index fm_handler_audit_handler on fm_handler_audit (handler, id);

alter table fm_jobs add column pinned_version text;
create index fm_jobs_pinned on fm_jobs (handler, pinned_version)
    where pinned_version is not null and status in ('pending', 'running');

alter table fm_runners add column versions text not null default '[]';
