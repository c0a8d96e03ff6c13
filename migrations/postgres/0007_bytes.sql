-- Ids, handlers and keys compare by their bytes, as they do on SQLite and in runners, and not by the rules of a language:
-- what is equal stays so, and no index hangs on the version of the system's locales. In a database with the rules
-- of en_US.UTF-8, jobs that are kept were drained at 0.7 of their pace.
--
-- No row is written again, but the indexes of these columns are made anew, some two seconds a million jobs, while
-- everything else that touches the tables waits. Where a transaction that is open holds them, it gives up, since everybody
-- would wait behind it. In the order in which those lock that touch several.
set local lock_timeout = '20s';
lock table fm_unique_periods, fm_jobs, fm_idempotency in access exclusive mode;

-- All of them or none: where Postgres refuses, since a view or a policy of somebody's depends on a column, jobs run as before.
-- Of Postgres 14, 42601 stands for a generated column.
do $$
begin
    -- Postgres alters no column that a trigger names.
    drop trigger fm_unique_periods_taken on fm_unique_periods;
    alter table fm_unique_periods alter column handler type text collate "C",
        alter column unique_key type text collate "C", alter column job_id type text collate "C";
    create constraint trigger fm_unique_periods_taken after insert or update of job_id on fm_unique_periods
        deferrable initially deferred for each row
        execute function fm_mark_timed_key();
    alter table fm_idempotency alter column handler type text collate "C", alter column key type text collate "C";
    alter table fm_jobs alter column id type text collate "C", alter column handler type text collate "C",
        alter column unique_key type text collate "C";
exception when feature_not_supported or syntax_error then
    raise warning 'ids of jobs go on comparing by the rules of this database''s language, which is slower: %', sqlerrm
        using hint = 'Drop what depends on the column, repeat what migration 0007 alters, and create it again.';
end $$;

-- As in 0004, but arguments compare as the columns do, wherever they come from: Postgres refuses to compare a text of one
-- collation with a text of another. (A variable without a collation has that of the arguments.)
create or replace function fm_enqueue(
    handler text, input jsonb default 'null', run_at bigint default null, delay_ms bigint default 0,
    priority int default 0, max_attempts int default 3, unique_key text default null,
    unique_ms bigint default null, execution_id text default null, step_id text default null,
    pinned_version text default null
) returns text language plpgsql as $$
#variable_conflict use_column
declare
    new_id text := fm_new_id();
    found_id text;
    of_handler text collate "default" := fm_enqueue.handler;
    of_key text collate "default" := fm_enqueue.unique_key;
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
                where period.handler = of_handler and period.unique_key = of_key;
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
        where job.handler = of_handler and job.unique_key = of_key
            and job.status in ('pending', 'running');
        -- Else the holder ended between the two statements.
        if found then return found_id; end if;
    end loop;
end $$;

-- Nobody could beat meanwhile.
update fm_jobs set heartbeat_at = floor(date_part('epoch', clock_timestamp()) * 1000)::bigint
where status = 'running' and clock_timestamp() > now() + interval '10 seconds';

-- Programs of before go on, but not with the statements that they prepared: Postgres refuses one whose answer has another
-- collation now. FlowMonkey's connections end, and it makes new ones; those that only wait to migrate are left alone, and
-- so are all where the tables are new. Other programs with prepared statements that return these columns, and those of
-- roles that this one may not act for, must connect again.
select pg_terminate_backend(pid)
from pg_stat_activity
join pg_roles as role on role.oid = usesysid
where datname = current_database() and application_name = 'flowmonkey' and pid <> pg_backend_pid()
    and wait_event is distinct from 'advisory' and pg_has_role(usesysid, 'usage')
    and (not role.rolsuper or (select rolsuper from pg_roles where rolname = current_user))
    and exists (select from _sqlx_migrations where version = 1 and installed_on < now() - interval '1 minute');
