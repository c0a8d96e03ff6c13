//! What the queue alone costs on Postgres, without handlers: claim and record through the store, against
//! the same work in two plain statements by pgbench, in turns, on one table. Then what a claim takes beside
//! a backlog, against what it takes without one.
//!
//! `cargo xtask bench queue [-- --backlog JOBS]`
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "its result goes there")]

use flowmonkey_jobs::job::{JsonText, Transition, Usage};
use flowmonkey_jobs::store::{ClaimRequest, HandlerPlaces, LeaseStore, PgStore, Recording};
use flowmonkey_tests::cluster::EmptyPostgres;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;
const CLIENTS: usize = 4;
const CLAIMS_A_CLIENT: usize = 150;
const BATCH: u32 = 10;
const JOBS_A_ROUND: usize = CLIENTS * CLAIMS_A_CLIENT * BATCH as usize;
const RESULT: &str = r#"{"sent": true}"#;

/// The least that claims a batch and completes it, in a transaction each: no fence, no history, no cost.
const RAW: &str = "
update fm_jobs
set status = 'running', attempts = attempts + 1, runner_id = 'c' || :client_id,
    instance_id = gen_random_uuid()::text, heartbeat_at = fm_now_ms(), updated_at = fm_now_ms()
where id in (
    select id from fm_jobs
    where handler = 'bench' and priority = 0 and run_at <= fm_now_ms() and status = 'pending'
        and attempts < max_attempts
    order by run_at, id limit 10 for update skip locked);
update fm_jobs set status = 'completed', result = '{\"sent\": true}', updated_at = fm_now_ms()
where status = 'running' and runner_id = 'c' || :client_id;
";

/// So many jobs at once, past the triggers, which would tell nobody of them one by one.
fn fill(database: &EmptyPostgres, jobs: usize, handler: &str, priority: u32, run_at: &str) {
    database.execute(&format!(
        "set session_replication_role = replica;
         insert into fm_jobs (id, handler, input, priority, run_at)
         select fm_new_id(), {handler}, '{{\"to\": \"ada@example.com\"}}', {priority}, {run_at}
         from generate_series(1, {jobs}) as n"
    ));
}

fn request(runner: usize) -> ClaimRequest {
    ClaimRequest {
        runner_id: format!("bench-{runner}"),
        handlers: vec![HandlerPlaces { handler: "bench".into(), places: None, fleet_max: None }],
        limit: BATCH,
        heartbeat_interval: Duration::from_secs(10),
    }
}

async fn ours(store: &PgStore) -> Duration {
    let start = Instant::now();
    let clients: Vec<_> = (0..CLIENTS).map(|client| tokio::spawn(work(store.clone(), client))).collect();
    for client in clients {
        client.await.unwrap();
    }
    start.elapsed()
}

async fn work(store: PgStore, client: usize) {
    let request = request(client);
    let result = JsonText::parse(RESULT).unwrap();
    for _ in 0..CLAIMS_A_CLIENT {
        let jobs = store.claim(&request).await.unwrap().jobs;
        assert_eq!(jobs.len(), BATCH as usize, "the backlog is large enough");
        let ended = |job: flowmonkey_jobs::store::Claimed| Recording {
            lease: job.lease,
            transition: Transition::Complete(Some(result.clone())),
            usage: Usage { fuel: Some(1), memory_bytes: 65_536, wall_us: 1 },
            progress: None,
            ran: None,
        };
        store.record(&jobs.into_iter().map(ended).collect::<Vec<_>>()).await.unwrap();
    }
}

fn raw(database: &EmptyPostgres, script: &std::path::Path) -> Duration {
    let (clients, claims) = (CLIENTS.to_string(), CLAIMS_A_CLIENT.to_string());
    let pgbench = std::env::var("FLOWMONKEY_PGBENCH").unwrap_or_else(|_| "pgbench".into());
    let output = Command::new(&pgbench)
        .args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-t", &claims, "-f"])
        .arg(script)
        // libpq does not know sqlx's own parameters.
        .arg(database.url().split('?').next().unwrap())
        .output()
        .unwrap_or_else(|error| panic!("{pgbench}: {error}; `cargo xtask bench queue` finds it"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap();
    let tps: f64 = tps.split(' ').next().unwrap().parse().unwrap();
    Duration::from_secs_f64((CLIENTS * CLAIMS_A_CLIENT) as f64 / tps)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

async fn throughput(database: &EmptyPostgres, store: &PgStore) {
    let mut script = tempfile::NamedTempFile::new().unwrap();
    script.write_all(RAW.as_bytes()).unwrap();
    let (mut through_store, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        fill(database, 2 * JOBS_A_ROUND + 100, "'bench'", 0, "fm_now_ms() - n");
        database.execute("vacuum analyze fm_jobs");
        let jobs = JOBS_A_ROUND as f64;
        through_store.push(jobs / ours(store).await.as_secs_f64());
        plain.push(jobs / raw(database, script.path()).as_secs_f64());
        database.execute("truncate fm_jobs cascade");
    }
    let (through_store, plain) = (median(through_store), median(plain));
    println!("claim + record, {CLIENTS} clients, {BATCH} jobs a batch, median of {ROUNDS} rounds:");
    println!("  through the store   {through_store:>8.0} jobs/s");
    println!("  two raw statements  {plain:>8.0} jobs/s");
    println!("  ratio               {:>8.2}", through_store / plain);
}

/// The median of a number of claims, in milliseconds.
async fn claim_ms(store: &PgStore) -> f64 {
    let mut rounds = Vec::new();
    for _ in 0..41 {
        let start = Instant::now();
        let claim = store.claim(&request(0)).await.unwrap();
        rounds.push(start.elapsed().as_secs_f64() * 1e3);
        assert_eq!(claim.jobs.len(), BATCH as usize);
    }
    median(rounds)
}

async fn backlog(database: &EmptyPostgres, store: &PgStore, jobs: usize) {
    println!("one claim of {BATCH} jobs, in ms, and against the first line; nothing is analyzed in between:");
    let due = || fill(database, 1000, "'bench'", 5, "fm_now_ms() - n");
    due();
    let without = claim_ms(store).await;
    println!("  {without:>6.2}         a thousand due jobs and nothing else");
    let cases = [
        ("due jobs of 200 other handlers", "'other-' || n % 200", 0, "fm_now_ms() - n"),
        (
            "jobs of the same handler, due later, at a higher priority",
            "'bench'",
            0,
            "fm_now_ms() + 3600000 + n",
        ),
        ("jobs of the same handler that wait for a signal", "'bench'", 0, "null"),
        ("due jobs of the same handler", "'bench'", 0, "fm_now_ms() - n"),
    ];
    for (what, handler, priority, run_at) in cases {
        fill(database, jobs, handler, priority, run_at);
        due();
        let with = claim_ms(store).await;
        println!("  {with:>6.2}  × {:>4.1}  beside {jobs} more: {what}", with / without);
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--backlog").skip(1);
    let jobs = arguments.next().map_or(1_000_000, |text| text.parse().unwrap());
    let database = EmptyPostgres::create();
    PgStore::migrate(&database.url()).await.unwrap().close().await;
    let store = PgStore::connect(&database.url(), CLIENTS as u32).await.unwrap();
    throughput(&database, &store).await;
    backlog(&database, &store, jobs).await;
    store.close().await;
}
