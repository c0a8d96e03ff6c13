//! How Postgres finds what a claim asks for.

use flowmonkey_jobs::store::postgres::{SESSION, STATEMENTS};
use flowmonkey_tests::database::Fixture;
use sqlx::AssertSqlSafe;

/// Half of them ended, half due, of several handlers and priorities.
const JOBS: &str = "
    insert into fm_jobs (id, handler, input, status, priority, run_at)
    select n::text, 'handler-' || n % 4, '{}', case when n % 2 = 0 then 'completed' else 'pending' end,
        n % 10, n
    from generate_series(1, 50000) as n;
    analyze fm_jobs";

/// A prepared statement might get another plan from its sixth use on; ours shall not.
const USES: usize = 8;

async fn plans(f: &Fixture, file: &str, parameters: &str, arguments: &str) -> Vec<String> {
    let (_, text) = STATEMENTS.iter().find(|(name, _)| *name == file).unwrap();
    let mut connection = f.pg().acquire().await.unwrap();
    sqlx::raw_sql(SESSION).execute(&mut *connection).await.unwrap();
    let prepare = AssertSqlSafe(format!("prepare statement {parameters} as {text}"));
    sqlx::raw_sql(prepare).execute(&mut *connection).await.unwrap();
    let mut plans = Vec::new();
    for _ in 0..USES {
        let explain = AssertSqlSafe(format!("explain execute statement {arguments}"));
        let lines: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut *connection).await.unwrap();
        plans.push(lines.join("\n"));
    }
    sqlx::raw_sql("deallocate statement").execute(&mut *connection).await.unwrap();
    plans
}

#[tokio::test(flavor = "multi_thread")]
async fn the_busy_statements_read_an_index() {
    let f = Fixture::postgres().await;
    let recordings =
        "('{1,2}', '{a,b}', '{completed,failed}', '{1,null}', '{null,1}', '{null,null}', '{null,null}',
        '{0,0}', '{null,null}', '{null,null}', '{x,y}', 32)";
    let table = [
        (
            "claim.sql",
            "(text, text[], int[], int, int, text[], int[], bigint[], text[])",
            "('r', '{handler-1,handler-3,other}', '{10,10,2}', 10, 10000, '{handler-1}', '{0}', '{5}', '{a}')",
            "fm_jobs_due",
        ),
        ("reap.sql", "(bigint, bigint, text, int)", "(1000, 100, '{}', 32)", "fm_jobs_heartbeat"),
        ("find_stalled.sql", "(bigint, bigint)", "(1000, 100)", "fm_jobs_heartbeat"),
        ("count_running.sql", "(text[])", "('{handler-1,other}')", "fm_jobs_heartbeat"),
        ("count_pinned.sql", "(text, text, bigint)", "('handler-1', '2', 1000)", "fm_jobs_pinned"),
        ("count_open.sql", "(text, bigint)", "('handler-1', 1000)", "fm_jobs_heartbeat"),
        ("count_pending.sql", "(text, bigint)", "('handler-1', 10)", "fm_jobs_due"),
        ("look_up_idempotency.sql", "(text, text, text)", "('1', 'a', 'k')", "fm_idempotency_pkey"),
        ("heartbeat.sql", "(text[], text[])", "('{1,2,3}', '{a,b,c}')", "fm_jobs_pkey"),
        (
            "record.sql",
            "(text[], text[], text[], text[], text[], bigint[], bigint[], int[], text[], text[], text[], int)",
            recordings,
            "fm_jobs_pkey",
        ),
        ("forget.sql", "(text[], text[])", "('{1,2,3}', '{a,b,c}')", "fm_jobs_pkey"),
        ("list.sql", "(text, text, bigint)", "(null, null, 100)", "fm_jobs_pending"),
    ];
    // In an empty table of which nothing is known, and in a full one: a plan is kept as the table grows.
    for (round, (file, parameters, arguments, index)) in table.into_iter().chain(table).enumerate() {
        if round == table.len() {
            f.execute(JOBS).await;
        }
        let uses = plans(&f, file, parameters, arguments).await;
        for (at, plan) in uses.iter().enumerate() {
            assert!(!plan.contains("Seq Scan on fm_jobs"), "{file}, use {at}:\n{plan}");
            assert!(plan.contains(index), "{file}, use {at}:\n{plan}");
            // It begins there, and does not read all that lies before.
            let begins = plan
                .lines()
                .filter(|line| line.contains("Index Cond") && line.contains("(ROW(run_at, id) >="));
            assert_eq!(begins.count(), if file == "claim.sql" { 2 } else { 0 }, "{file}, use {at}:\n{plan}");
        }
    }
}
