-- The model of migrations/postgres for the embedded store. JSON is text; times are milliseconds since
-- 1970 by this machine's clock as SQLite reads it.

-- The clock of all statements. Column defaults may not hold a subquery, so they repeat the expression.
create view fm_clock as select cast(round(unixepoch('subsec') * 1000) as integer) as now;

create table fm_executions (
    id text primary key,
    flow_id text not null,
    flow_version text not null,
    current_step text,
    status text not null default 'pending' check (status in
        ('pending', 'running', 'waiting', 'cancelling', 'cancelled', 'completed', 'failed')),
    context text not null default '{}' check (json_valid(context)),
    wake_at integer,
    wait_reason text,
    error text,
    step_count integer not null default 0,
    history text,
    tenant_id text,
    metadata text,
    created_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
    updated_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
    idempotency_key text,
    idempotency_expires_at integer,
    cancellation text,
    parent_execution_id text,
    wait_started_at integer,
    timeout_config text
) strict;

create table fm_jobs (
    id text primary key,
    execution_id text references fm_executions (id) on delete cascade,
    step_id text,
    handler text not null,
    status text not null default 'pending' check (status in
        ('pending', 'running', 'completed', 'failed', 'cancelled')),
    input text not null check (json_valid(input)),
    result text,
    error text,
    runner_id text,
    heartbeat_at integer,
    heartbeat_ms integer not null default 30000,
    attempts integer not null default 0,
    max_attempts integer not null default 3,
    created_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
    updated_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
    instance_id text,
    checkpoint text,
    progress text,
    -- 0 (first) to 9 (last).
    priority integer not null default 0 check (priority between 0 and 9),
    -- When the job is due; null while it waits for a signal.
    run_at integer default (cast(round(unixepoch('subsec') * 1000) as integer)),
    -- {signal?, reason?} while the handler asked to wait.
    waiting text,
    -- [{attempt, instance_id, runner_id, outcome, error, usage, at}], oldest first, bounded.
    history text not null default '[]'
) strict;

create index fm_jobs_due on fm_jobs (handler, priority, run_at, id) where status = 'pending';
create index fm_jobs_heartbeat on fm_jobs (heartbeat_at) where status = 'running';
create index fm_jobs_execution on fm_jobs (execution_id) where execution_id is not null;

-- Which runners live and what they can run; rows of the dead are removed after a day.
create table fm_runners (
    id text primary key,
    handlers text not null,
    started_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
    heartbeat_at integer not null default (cast(round(unixepoch('subsec') * 1000) as integer))
) strict;
