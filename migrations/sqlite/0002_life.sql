-- What a job's whole life needs: unique keys, retries of its own, waits that are resumed, schedules, and
-- executions that end with their jobs. As migrations/postgres/0002_life.sql, which says more.

alter table fm_jobs add column unique_key text;
alter table fm_jobs add column retry text;
alter table fm_jobs add column waits integer not null default 0;
alter table fm_jobs add column resumed_with text;
alter table fm_jobs add column heartbeat_timeout_ms integer check (heartbeat_timeout_ms > 0);
alter table fm_jobs add column beat_ms integer;
alter table fm_jobs add column schedule text;

drop index fm_jobs_due;
create index fm_jobs_due on fm_jobs (handler, priority, run_at, id)
    where status = 'pending' and attempts < max_attempts;
create index fm_jobs_exhausted on fm_jobs (id) where status = 'pending' and attempts >= max_attempts;
create unique index fm_jobs_unique on fm_jobs (handler, unique_key)
    where unique_key is not null and status in ('pending', 'running');
create index fm_jobs_finished on fm_jobs (status, updated_at)
    where status in ('completed', 'failed', 'cancelled');
create index fm_jobs_created on fm_jobs (created_at desc, id desc);

create table fm_unique_periods (
    handler text not null,
    unique_key text not null,
    job_id text not null references fm_jobs (id) on delete cascade deferrable initially deferred,
    expires_at integer not null,
    primary key (handler, unique_key)
) strict;
create index fm_unique_periods_job on fm_unique_periods (job_id);

create table fm_schedules (
    name text primary key,
    cron text not null,
    time_zone text not null default 'UTC',
    handler text not null,
    input text not null check (json_valid(input)),
    priority integer not null default 0 check (priority between 0 and 9),
    max_attempts integer not null default 3 check (max_attempts > 0),
    missed text not null default 'once' check (missed in ('skip', 'once', 'all')),
    missed_max integer not null default 100 check (missed_max > 0),
    paused integer not null default 0,
    next_at integer,
    last_at integer,
    created_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
    updated_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer))
) strict;
create index fm_schedules_due on fm_schedules (next_at) where paused = 0 and next_at is not null;

create trigger fm_executions_cancelled after update of status on fm_executions
when new.status in ('cancelling', 'cancelled') and old.status is not new.status
begin
    update fm_jobs
    set status = 'cancelled', updated_at = (select now from fm_clock), waiting = null,
        history = case when status = 'running' then json_insert(
            case when json_array_length(history) >= 32 then json_remove(history, '$[0]') else history end,
            '$[#]', json_object('attempt', attempts, 'instance_id', coalesce(instance_id, ''),
                'runner_id', runner_id, 'outcome', 'cancelled', 'at', (select now from fm_clock)))
            else history end
    where execution_id = new.id and status in ('pending', 'running');
end;
