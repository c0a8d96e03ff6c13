//! `listen`: what a store tells of what others do to its jobs.

use crate::given::{
    claim_one, error, in_status, json, new_job, pending, pg_store, reap_one, record, running, silence,
    waiting_execution,
};
use crate::hold::PATIENCE;
use flowmonkey_jobs::job::{NewJob, Start, Status, Transition, Wake};
use flowmonkey_jobs::store::{Changed, Firing, JobStore, Missed, NewSchedule, Notice, Notices};
use flowmonkey_tests::database::{Database, Fixture};
use std::time::Duration;

on_both_stores! {
    a_new_job_is_told_of,
    a_job_that_goes_on_is_told_of,
    a_job_that_an_operator_wants_again_is_told_of,
    a_job_that_was_reaped_is_told_of,
    the_job_of_a_slot_is_told_of,
    a_cancelled_job_that_runs_is_told_of,
    every_listener_hears_it,
}

on_postgres! {
    a_batch_is_one_notice,
    a_crowd_of_transactions_is_told_of_once_in_a_while,
    a_clock_that_was_set_back_silences_nobody,
    what_other_programs_insert_is_told_of,
    what_is_not_due_is_not_told_of,
    what_a_transaction_creates_is_told_of_when_it_commits,
    only_the_cancel_of_a_running_job_is_told_of,
    jobs_that_go_with_their_execution_are_told_of,
    a_dead_line_ends_the_notices_and_another_can_be_had,
    a_listener_that_is_dropped_hangs_up,
}

on_sqlite! {
    what_another_program_writes_is_told_of,
}

async fn next(notices: &mut Notices) -> Option<Notice> {
    tokio::time::timeout(PATIENCE, notices.next()).await.expect("no notice came")
}

/// Postgres tells of due jobs once in a while; forgets when the last time was.
async fn speak_up(f: &Fixture) {
    if matches!(f.database, Database::Postgres(_)) {
        f.execute("select setval('fm_notices', 0)").await;
    }
}

const LAST: &str = "the last of these";

/// What was told until now: up to a notice that is made for this.
pub(crate) async fn told(f: &Fixture, notices: &mut Notices) -> Vec<Notice> {
    match f.database {
        Database::Postgres(_) => drop(f.execute(&format!("notify flowmonkey, 'cancelled {LAST}'")).await),
        Database::Sqlite(_) => assert_eq!(f.store.cancel(LAST).await.unwrap(), Changed::NotFound),
    }
    let mut told = Vec::new();
    loop {
        match next(notices).await.expect("the line is dead") {
            notice if notice == (Notice::Cancelled { job_id: LAST.into() }) => break,
            notice => told.push(notice),
        }
    }
    speak_up(f).await;
    told
}

/// Postgres says that something is due; SQLite may say no more than "look".
async fn assert_due(f: &Fixture, notices: &mut Notices) {
    let told = told(f, notices).await;
    let precise = matches!(f.database, Database::Postgres(_));
    let heard = told.contains(&Notice::Due) || !precise && told.contains(&Notice::Changed);
    assert!(heard, "{told:?}");
}

async fn listen(f: &Fixture) -> Notices {
    let notices = f.store.listen().await.unwrap();
    speak_up(f).await;
    notices
}

async fn a_new_job_is_told_of(f: Fixture) {
    let mut notices = listen(&f).await;
    pending(&f).await;
    assert_eq!(next(&mut notices).await, Some(Notice::Due));
}

async fn a_job_that_goes_on_is_told_of(f: Fixture) {
    let lease = running(&f).await;
    let mut notices = listen(&f).await;
    record(&f, &lease, Transition::Release).await;
    assert_due(&f, &mut notices).await;
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, crate::given::retry_at_once("X")).await;
    assert_due(&f, &mut notices).await;
    let lease = claim_one(&f).await.lease;
    record(&f, &lease, Transition::Wait { until: Wake::Signal("s".into()), reason: None }).await;
    told(&f, &mut notices).await;
    assert_eq!(f.store.resume(&lease.job_id, None).await.unwrap(), Changed::Yes);
    assert_due(&f, &mut notices).await;
}

async fn a_job_that_an_operator_wants_again_is_told_of(f: Fixture) {
    let (failed, cancelled) = (in_status(&f, Status::Failed).await, in_status(&f, Status::Cancelled).await);
    let mut notices = listen(&f).await;
    assert_eq!(f.store.retry(&cancelled.id).await.unwrap(), Changed::Yes);
    assert_due(&f, &mut notices).await;
    assert_eq!(f.store.retry_many(&Default::default()).await.unwrap(), 1);
    assert_due(&f, &mut notices).await;
    assert_eq!(crate::given::get(&f, &failed.id).await.status, Status::Pending);
}

async fn a_job_that_was_reaped_is_told_of(f: Fixture) {
    let lease = running(&f).await;
    silence(&f, &lease.job_id).await;
    let mut notices = listen(&f).await;
    reap_one(&f).await;
    assert_due(&f, &mut notices).await;
}

async fn the_job_of_a_slot_is_told_of(f: Fixture) {
    let spec = NewSchedule {
        name: "daily".into(),
        cron: "0 0 9 * * *".into(),
        time_zone: "UTC".into(),
        handler: "report".into(),
        input: json("1"),
        priority: 0,
        max_attempts: 3,
        missed: Missed::Once,
        missed_max: 1,
    };
    f.store.put_schedule(&spec, Some(1000)).await.unwrap();
    let schedule = f.store.schedule("daily").await.unwrap().unwrap();
    let mut notices = listen(&f).await;
    let firing = Firing { schedule: &schedule, slots: vec![1000], next_at: Some(2000) };
    assert!(f.store.fire(&firing).await.unwrap());
    assert_due(&f, &mut notices).await;
}

async fn a_cancelled_job_that_runs_is_told_of(f: Fixture) {
    let lease = running(&f).await;
    let mut notices = listen(&f).await;
    f.store.cancel(&lease.job_id).await.unwrap();
    assert_eq!(next(&mut notices).await, Some(Notice::Cancelled { job_id: lease.job_id }));
}

async fn every_listener_hears_it(f: Fixture) {
    let (mut first, mut second) = (listen(&f).await, listen(&f).await);
    pending(&f).await;
    for notices in [&mut first, &mut second] {
        assert_eq!(next(notices).await, Some(Notice::Due));
    }
}

async fn a_batch_is_one_notice(f: Fixture) {
    let mut notices = listen(&f).await;
    let batch = ["a", "b", "a"].map(|handler| NewJob::new(handler, json("1")));
    f.store.create_many(batch.into()).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, [Notice::Due]);
}

/// Each would take the whole database's lock to tell of its one job.
async fn a_crowd_of_transactions_is_told_of_once_in_a_while(f: Fixture) {
    let mut notices = listen(&f).await;
    f.execute(
        "do $$ begin
            for n in 1..300 loop
                perform fm_enqueue('h');
                commit;
            end loop;
        end $$",
    )
    .await;
    let told = told(&f, &mut notices).await;
    assert!(!told.is_empty() && told.len() < 300, "{} notices", told.len());
    assert!(told.iter().all(|notice| *notice == Notice::Due));
}

async fn a_clock_that_was_set_back_silences_nobody(f: Fixture) {
    let mut notices = listen(&f).await;
    f.execute("select setval('fm_notices', fm_now_ms() + 3600000)").await;
    pending(&f).await;
    assert_eq!(told(&f, &mut notices).await, [Notice::Due]);
}

async fn what_other_programs_insert_is_told_of(f: Fixture) {
    waiting_execution(&f, "e", "s").await;
    let mut notices = listen(&f).await;
    f.execute("select fm_enqueue('enqueued')").await;
    assert_eq!(told(&f, &mut notices).await, [Notice::Due]);
    // As FlowMonkey's own package does it.
    f.execute(
        "insert into fm_jobs (id, execution_id, step_id, handler, status, input, heartbeat_ms, attempts,
            max_attempts, created_at, updated_at)
        values ('new', 'e', 's', 'inserted', 'pending', '1', 30000, 0, 3, 5000, 5000)",
    )
    .await;
    assert_eq!(told(&f, &mut notices).await, [Notice::Due]);
}

async fn what_is_not_due_is_not_told_of(f: Fixture) {
    let mut notices = listen(&f).await;
    let hour = Duration::from_secs(3600);
    f.store.create(NewJob { start: Start::After(hour), ..new_job() }).await.unwrap();
    f.execute("select fm_enqueue('h', delay_ms => 60000)").await;
    assert_eq!(told(&f, &mut notices).await, []);
    let ends = [
        Transition::Complete(None),
        Transition::Fail(error("X")),
        Transition::Retry { after: hour, error: error("X") },
        Transition::Wait { until: Wake::After(hour), reason: None },
        Transition::Wait { until: Wake::Signal("s".into()), reason: None },
    ];
    for end in ends {
        let lease = running(&f).await;
        // The one of its creation.
        assert_eq!(told(&f, &mut notices).await, [Notice::Due]);
        f.store.heartbeat(std::slice::from_ref(&lease)).await.unwrap();
        record(&f, &lease, end.clone()).await;
        assert_eq!(told(&f, &mut notices).await, [], "{end:?}");
    }
}

async fn what_a_transaction_creates_is_told_of_when_it_commits(f: Fixture) {
    let store = pg_store(&f).await;
    let mut notices = listen(&f).await;
    let mut transaction = f.pg().begin().await.unwrap();
    store.create_in(&mut transaction, new_job()).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, []);
    transaction.commit().await.unwrap();
    assert_eq!(told(&f, &mut notices).await, [Notice::Due]);
    let mut transaction = f.pg().begin().await.unwrap();
    store.create_in(&mut transaction, new_job()).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(told(&f, &mut notices).await, []);
}

async fn only_the_cancel_of_a_running_job_is_told_of(f: Fixture) {
    let lease = running(&f).await;
    let idle = pending(&f).await;
    let mut notices = listen(&f).await;
    f.store.cancel(&idle.id).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, []);
    f.store.cancel(&lease.job_id).await.unwrap();
    let cancelled = Notice::Cancelled { job_id: lease.job_id.clone() };
    assert_eq!(told(&f, &mut notices).await, [cancelled]);
    f.store.cancel(&lease.job_id).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, []);
}

async fn jobs_that_go_with_their_execution_are_told_of(f: Fixture) {
    for by_engine in [false, true] {
        waiting_execution(&f, "e", "s").await;
        let lease = crate::given::running_of(&f, "e", "s").await;
        let mut notices = listen(&f).await;
        if by_engine {
            f.execute("update fm_executions set status = 'cancelling'").await;
        } else {
            assert!(f.store.cancel_execution("e").await.unwrap());
        }
        assert_eq!(told(&f, &mut notices).await, [Notice::Cancelled { job_id: lease.job_id }]);
        f.execute("delete from fm_executions").await;
    }
}

const LISTENERS: &str = "from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and query ilike 'listen %'";

async fn a_dead_line_ends_the_notices_and_another_can_be_had(f: Fixture) {
    let mut notices = listen(&f).await;
    let killed = f.number(&format!("select count(pg_terminate_backend(pid)) {LISTENERS}")).await;
    assert_eq!(killed, 1);
    assert_eq!(next(&mut notices).await, None);
    assert_eq!(next(&mut notices).await, None);
    let mut notices = listen(&f).await;
    pending(&f).await;
    assert_eq!(next(&mut notices).await, Some(Notice::Due));
}

async fn a_listener_that_is_dropped_hangs_up(f: Fixture) {
    let notices = [listen(&f).await, listen(&f).await];
    let listeners = format!("select count(*) {LISTENERS}");
    assert_eq!(f.number(&listeners).await, 2);
    drop(notices);
    let gone = async {
        while f.number(&listeners).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("a listener stays");
}

/// The engine cannot say what; but whatever is committed after `listen` has answered is noticed.
async fn what_another_program_writes_is_told_of(f: Fixture) {
    let Database::Sqlite(database) = &f.database else { panic!() };
    let other = database.store().await;
    for _ in 0..10 {
        let mut notices = listen(&f).await;
        let job = other.create(new_job()).await.unwrap().job;
        assert_eq!(next(&mut notices).await, Some(Notice::Changed));
        f.execute(&format!("update fm_jobs set priority = 1 where id = '{}'", job.id)).await;
        assert_eq!(next(&mut notices).await, Some(Notice::Changed));
    }
}
