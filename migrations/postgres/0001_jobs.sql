-- FlowMonkey's tables: created where absent, extended where present. Columns and meanings that the
-- TypeScript package knows stay as they are; every new column has a default.

-- Milliseconds since 1970 by the database's clock, at the start of the current statement. Stable, so
-- that an index may be searched with it.
create function fm_now_ms() returns bigint
    language sql stable parallel safe
    as $$ select floor(extract(epoch from statement_timestamp()) * 1000)::bigint $$;

create table if not exists fm_executions (
    id text primary key,
    flow_id text not null,
    flow_version text not null,
    current_step text,
    status text not null default 'pending' check (status in
        ('pending', 'running', 'waiting', 'cancelling', 'cancelled', 'completed', 'failed')),
    context jsonb not null default '{}',
    wake_at bigint,
    wait_reason text,
    error jsonb,
    step_count int not null default 0,
    history jsonb,
    tenant_id text,
    metadata jsonb,
    created_at bigint not null default fm_now_ms(),
    updated_at bigint not null default fm_now_ms(),
    idempotency_key text,
    idempotency_expires_at bigint,
    cancellation jsonb,
    parent_execution_id text,
    wait_started_at bigint,
    timeout_config jsonb
);

create table if not exists fm_jobs (
    id text primary key,
    execution_id text references fm_executions (id) on delete cascade,
    step_id text,
    handler text not null,
    status text not null default 'pending' check (status in
        ('pending', 'running', 'completed', 'failed', 'cancelled')),
    input jsonb not null,
    result jsonb,
    error jsonb,
    runner_id text,
    heartbeat_at bigint,
    heartbeat_ms int not null default 30000,
    attempts int not null default 0,
    max_attempts int not null default 3,
    created_at bigint not null default fm_now_ms(),
    updated_at bigint not null default fm_now_ms(),
    instance_id text,
    checkpoint jsonb,
    progress jsonb
);

-- Jobs of their own belong to no execution.
alter table fm_jobs alter column execution_id drop not null;
alter table fm_jobs alter column step_id drop not null;
-- FlowMonkey always names the status; its first version had no `cancelled`, and lacked these columns.
alter table fm_jobs alter column status set default 'pending';
alter table fm_jobs drop constraint if exists fm_jobs_status_check;
alter table fm_jobs add constraint fm_jobs_status_check
    check (status in ('pending', 'running', 'completed', 'failed', 'cancelled'));
alter table fm_jobs add column if not exists instance_id text;
alter table fm_jobs add column if not exists checkpoint jsonb;
alter table fm_jobs add column if not exists progress jsonb;
-- The reaper finds running jobs by their heartbeat.
update fm_jobs set heartbeat_at = updated_at where status = 'running' and heartbeat_at is null;
alter table fm_jobs alter column created_at set default fm_now_ms();
alter table fm_jobs alter column updated_at set default fm_now_ms();

-- 0 (first) to 9 (last).
alter table fm_jobs add column if not exists priority smallint not null default 0
    check (priority between 0 and 9);
-- When the job is due; null while it waits for a signal. The rows that are there are as old as they are.
alter table fm_jobs add column if not exists run_at bigint;
update fm_jobs set run_at = created_at where run_at is null;
alter table fm_jobs alter column run_at set default fm_now_ms();
-- {signal?, reason?} while the handler asked to wait.
alter table fm_jobs add column if not exists waiting jsonb;
-- [{attempt, instance_id, runner_id, outcome, error, usage, at}], oldest first, bounded.
alter table fm_jobs add column if not exists history jsonb not null default '[]';

create index if not exists fm_jobs_due on fm_jobs (handler, priority, run_at, id) where status = 'pending';
create index if not exists fm_jobs_heartbeat on fm_jobs (heartbeat_at) where status = 'running';
create index if not exists fm_jobs_execution on fm_jobs (execution_id) where execution_id is not null;

-- Which runners live and what they can run; rows of the dead are removed after a day.
create table fm_runners (
    id text primary key,
    handlers jsonb not null,
    started_at bigint not null default fm_now_ms(),
    heartbeat_at bigint not null default fm_now_ms()
);
