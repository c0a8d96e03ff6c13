-- What many thousands of jobs a second showed to be dear.

-- As before, but counted in floating point, which takes a fifth of the time that numbers of any length take; what is
-- added makes up for the last of its digits.
create or replace function fm_now_ms() returns bigint
    language sql stable parallel safe
    as $$ select floor(date_part('epoch', statement_timestamp()) * 1000 + 0.001)::bigint $$;

-- Who must be told that something is due is decided once a transaction, when it commits, and not once a job:
-- the first due row of a transaction sets a flag that ends with the transaction (or its savepoint), and only
-- that row leaves a deferred event behind.
drop trigger fm_jobs_created on fm_jobs;
create constraint trigger fm_jobs_created after insert on fm_jobs
    deferrable initially deferred for each row
    when (case when current_setting('flowmonkey.told', true) = 'yes' then false
        when new.status <> 'pending' or new.run_at is null or new.run_at > fm_now_ms() then false
        else set_config('flowmonkey.told', 'yes', true) = 'yes' end)
    execute function fm_notify_due();
drop trigger fm_jobs_due on fm_jobs;
create constraint trigger fm_jobs_due after update of status, run_at on fm_jobs
    deferrable initially deferred for each row
    when (case when new.status <> 'pending' or current_setting('flowmonkey.told', true) = 'yes' then false
        when new.run_at is null or new.run_at > fm_now_ms() then false
        when old.status = 'pending' and old.run_at is not distinct from new.run_at then false
        else set_config('flowmonkey.told', 'yes', true) = 'yes' end)
    execute function fm_notify_due();

-- Once in 5 ms instead of once in 20: those who commit between two notices are found by a look 5 ms after the first,
-- and what made notices dear is that they wait for each other.
create or replace function fm_notify_due() returns trigger
    language plpgsql security definer set search_path from current as $$
declare
    now_ms bigint := floor(extract(epoch from clock_timestamp()) * 1000);
begin
    -- A clock that was set back does not silence it.
    if now_ms - (select last_value from fm_notices) not between 0 and 4 then
        perform setval('fm_notices', now_ms);
        perform pg_notify('flowmonkey', 'due');
    end if;
    return null;
end $$;

-- A key that is held for a time goes with its job: once a statement, where a foreign key would look for it once
-- a job.
alter table fm_unique_periods drop constraint fm_unique_periods_job_id_fkey;
create function fm_free_keys() returns trigger language plpgsql as $$
begin
    delete from fm_unique_periods where job_id in (select id from gone);
    return null;
end $$;
create trigger fm_jobs_gone after delete on fm_jobs
    referencing old table as gone for each statement
    execute function fm_free_keys();
create function fm_free_all_keys() returns trigger language plpgsql as $$
begin
    delete from fm_unique_periods;
    return null;
end $$;
create trigger fm_jobs_truncated after truncate on fm_jobs for each statement
    execute function fm_free_all_keys();

-- Lists begin with what changed last. What is pending is found by this index, what has ended by fm_jobs_finished,
-- and what runs is as little as the fleet can hold. An index over all jobs cost a fifth of what claiming and
-- recording a job wrote.
drop index fm_jobs_created;
create index fm_jobs_pending on fm_jobs (updated_at) where status = 'pending';

-- So that no claim reads all handlers for those that are paused.
create index fm_handlers_paused on fm_handlers (name) where paused;

-- A job leaves two dead versions behind: with a vacuum's default pauses, they come quicker than they go.
alter table fm_jobs set (autovacuum_vacuum_cost_delay = 1);
