-- $1 id, $2 execution, $3 step, $4 handler, $5 input, $6 delay in ms, $7 priority, $8 max attempts
insert into fm_jobs (id, execution_id, step_id, handler, input, run_at, priority, max_attempts)
values ($1, $2, $3, $4, $5::text::jsonb, fm_now_ms() + $6, $7::bigint::smallint, $8::bigint::int)
returning
    id, execution_id, step_id, handler, status, input::text, result::text, error::text,
    priority::bigint, run_at, waiting::text, attempts::bigint, max_attempts::bigint, runner_id, instance_id,
    heartbeat_at, progress::text, checkpoint::text, history::text, created_at, updated_at
