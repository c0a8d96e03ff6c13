-- What a job's whole life needs: unique keys, retries of its own, waits that are resumed, schedules,
-- executions that end with their jobs, and notices to runners that listen.

-- While a job with this key and handler is pending or running, there is no second one.
alter table fm_jobs add column unique_key text;
-- {base_ms, factor, cap_ms}: the job's own backoff instead of its handler's.
alter table fm_jobs add column retry jsonb;
-- How often the job has waited; each handler has a bound.
alter table fm_jobs add column waits int not null default 0;
-- What the job was resumed with, for the attempts after the wait.
alter table fm_jobs add column resumed_with jsonb;
-- A handler that is silent for longer is interrupted; null means that it need not beat.
alter table fm_jobs add column heartbeat_timeout_ms bigint check (heartbeat_timeout_ms > 0);
-- How often the runner of the current attempt beats; heartbeat_ms, which FlowMonkey's own reaper goes by, is
-- at least that.
alter table fm_jobs add column beat_ms int;
-- The schedule that created it; run_at is the slot.
alter table fm_jobs add column schedule text;

alter table fm_jobs add constraint fm_jobs_history_check check (jsonb_typeof(history) = 'array');
-- FlowMonkey's first version knew fewer statuses of executions, and lacked these columns.
alter table fm_executions drop constraint if exists fm_executions_status_check;
alter table fm_executions add constraint fm_executions_status_check check (status in
    ('pending', 'running', 'waiting', 'cancelling', 'cancelled', 'completed', 'failed'));
alter table fm_executions add column if not exists idempotency_key text;
alter table fm_executions add column if not exists idempotency_expires_at bigint;
alter table fm_executions add column if not exists cancellation jsonb;
alter table fm_executions add column if not exists parent_execution_id text;
alter table fm_executions add column if not exists wait_started_at bigint;
alter table fm_executions add column if not exists timeout_config jsonb;

-- The claim reads it priority by priority, so that jobs which are not due yet cost nothing.
drop index fm_jobs_due;
create index fm_jobs_due on fm_jobs (handler, priority, run_at, id)
    where status = 'pending' and attempts < max_attempts;
create index fm_jobs_exhausted on fm_jobs (id) where status = 'pending' and attempts >= max_attempts;
create unique index fm_jobs_unique on fm_jobs (handler, unique_key)
    where unique_key is not null and status in ('pending', 'running');
-- For lists and retention.
create index fm_jobs_finished on fm_jobs (status, updated_at)
    where status in ('completed', 'failed', 'cancelled');
create index fm_jobs_created on fm_jobs (created_at desc, id desc);

-- Each job leaves a few dead rows behind: they are swept up before claims have to read past them.
alter table fm_jobs set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- A key that is taken until a moment, whatever becomes of the job.
create table fm_unique_periods (
    handler text not null,
    unique_key text not null,
    -- Deferred, since the key is taken before the job is written.
    job_id text not null references fm_jobs (id) on delete cascade deferrable initially deferred,
    expires_at bigint not null,
    primary key (handler, unique_key)
);
create index fm_unique_periods_job on fm_unique_periods (job_id);

create table fm_schedules (
    name text primary key,
    cron text not null,
    time_zone text not null default 'UTC',
    handler text not null,
    input jsonb not null,
    priority smallint not null default 0 check (priority between 0 and 9),
    max_attempts int not null default 3 check (max_attempts > 0),
    -- What happens to slots that passed while no scheduler ran: skip, once, or all of the last missed_max.
    missed text not null default 'once' check (missed in ('skip', 'once', 'all')),
    missed_max int not null default 100 check (missed_max > 0),
    paused boolean not null default false,
    -- The next slot; whoever moves it on creates the slot's job in the same transaction.
    next_at bigint,
    last_at bigint,
    created_at bigint not null default fm_now_ms(),
    updated_at bigint not null default fm_now_ms()
);
create index fm_schedules_due on fm_schedules (next_at) where not paused and next_at is not null;

-- Twelve hexadecimal digits of time, the rest random: ids grow at one end of the primary key.
create function fm_new_id() returns text
    language sql volatile parallel safe
    as $$ select lpad(to_hex(floor(extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
        || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14) $$;

-- Runners listen to the channel `flowmonkey`. A transaction that notifies commits under a lock of the whole
-- database, one after the other: with eight clients that insert, a notice each leaves an eighth of their
-- throughput. So there is one in 20 ms, decided when a transaction commits; who hears it looks twice.
-- The moment of the last one is a sequence, which nobody waits for.
create sequence fm_notices minvalue 0 start 0;
create function fm_notify_due() returns trigger
    language plpgsql security definer set search_path from current as $$
declare
    now_ms bigint := floor(extract(epoch from clock_timestamp()) * 1000);
begin
    -- A clock that was set back does not silence it.
    if now_ms - (select last_value from fm_notices) not between 0 and 19 then
        perform setval('fm_notices', now_ms);
        perform pg_notify('flowmonkey', 'due');
    end if;
    return null;
end $$;
create constraint trigger fm_jobs_created after insert on fm_jobs
    deferrable initially deferred for each row
    when (new.status = 'pending' and new.run_at <= fm_now_ms())
    execute function fm_notify_due();
-- Given back, retried or resumed. fm_now_ms() is the statement's: what it set to now is due.
create constraint trigger fm_jobs_due after update of status, run_at on fm_jobs
    deferrable initially deferred for each row
    when (new.status = 'pending' and new.run_at <= fm_now_ms()
        and (old.status <> 'pending' or old.run_at is distinct from new.run_at))
    execute function fm_notify_due();

create function fm_notify_cancelled() returns trigger language plpgsql as $$
begin
    perform pg_notify('flowmonkey', 'cancelled ' || left(new.id, 200));
    return null;
end $$;
create trigger fm_jobs_cancelled after update of status on fm_jobs for each row
    when (old.status = 'running' and new.status = 'cancelled')
    execute function fm_notify_cancelled();

-- An execution takes its jobs along when it is cancelled, whoever does it; once more when the cancelling
-- ends, for those that came meanwhile.
-- 32 is how many entries a history keeps.
create function fm_cancel_jobs() returns trigger language plpgsql as $$
begin
    update fm_jobs as job
    set status = 'cancelled', updated_at = fm_now_ms(), waiting = null,
        history = case when job.status = 'running' then
            case when jsonb_array_length(job.history) >= 32 then job.history - 0 else job.history end
            || jsonb_build_object('attempt', job.attempts, 'instance_id', coalesce(job.instance_id, ''),
                'runner_id', job.runner_id, 'outcome', 'cancelled', 'at', fm_now_ms())
            else job.history end
    from (
        select id from fm_jobs
        where execution_id = new.id and status in ('pending', 'running')
        order by id
        for no key update
    ) as live
    where job.id = live.id;
    return null;
end $$;
create trigger fm_executions_cancelled after update of status on fm_executions for each row
    when (new.status in ('cancelling', 'cancelled') and old.status is distinct from new.status)
    execute function fm_cancel_jobs();

-- A job that comes to a cancelled execution is cancelled as well. The execution is locked, so that a cancel
-- which is under way either sees the job or is seen.
create function fm_join_execution() returns trigger language plpgsql as $$
begin
    if (select status from fm_executions where id = new.execution_id for share)
        in ('cancelling', 'cancelled') then
        new.status := 'cancelled';
    end if;
    return new;
end $$;
create trigger fm_jobs_join before insert on fm_jobs for each row
    when (new.execution_id is not null and new.status = 'pending')
    execute function fm_join_execution();

-- Creates a job inside the caller's own transaction and returns its id, or the id of the job that holds
-- its unique key: for good while that one is pending or running, or for unique_ms from its creation.
-- Times in milliseconds; run_at since 1970.
create function fm_enqueue(
    handler text, input jsonb default 'null', run_at bigint default null, delay_ms bigint default 0,
    priority int default 0, max_attempts int default 3, unique_key text default null,
    unique_ms bigint default null, execution_id text default null, step_id text default null
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
            (id, handler, input, run_at, priority, max_attempts, unique_key, execution_id, step_id)
        values (new_id, fm_enqueue.handler, fm_enqueue.input,
            coalesce(fm_enqueue.run_at, fm_now_ms() + delay_ms), fm_enqueue.priority,
            fm_enqueue.max_attempts, case when unique_ms is null then fm_enqueue.unique_key end,
            fm_enqueue.execution_id, fm_enqueue.step_id)
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
