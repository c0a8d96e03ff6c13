//! FlowMonkey's own programs at work beside our runners, with their own statements.

use crate::given::{STALLED, claim_one, get, json, places, record, recording};
use flowmonkey_jobs::job::{ErrorCode, Lease, Status, Transition};
use flowmonkey_jobs::store::{ClaimRequest, LeaseState, Recorded};
use flowmonkey_tests::database::Fixture;
use std::collections::HashSet;
use std::time::Duration;

/// A client in the package's words. Times are its own clock's, as there.
struct Client<'a> {
    f: &'a Fixture,
    name: &'static str,
}

impl Client<'_> {
    async fn create(&self, id: &str, now: i64) -> bool {
        let sql = format!(
            "insert into fm_jobs (id, execution_id, step_id, handler, status, input, heartbeat_ms, attempts,
                max_attempts, created_at, updated_at)
            values ('{id}', 'e1', 'send', 'email', 'pending', '{{\"to\": \"a\"}}', 30000, 0, 3, {now}, {now})
            on conflict (id) do nothing"
        );
        self.f.execute(&sql).await == 1
    }

    async fn claim(&self, id: &str, instance: &str, now: i64) -> bool {
        let name = self.name;
        let sql = format!(
            "update fm_jobs set status = 'running', runner_id = '{name}', instance_id = '{instance}',
                heartbeat_at = {now}, attempts = attempts + 1, updated_at = {now}
            where id = '{id}' and status = 'pending' and attempts < max_attempts"
        );
        self.f.execute(&sql).await == 1
    }

    async fn set(&self, id: &str, instance: &str, assignments: &str) -> bool {
        let sql = format!(
            "update fm_jobs set {assignments}
            where id = '{id}' and instance_id = '{instance}' and status = 'running'"
        );
        self.f.execute(&sql).await == 1
    }

    async fn list(&self, status: &str) -> i64 {
        self.f.number(&format!("select count(*) from fm_jobs where status = '{status}'")).await
    }
}

async fn beside() -> Fixture {
    let f = Fixture::postgres().await;
    f.execute(
        "insert into fm_executions (id, flow_id, flow_version, current_step, status)
        values ('e1', 'signup', '1.0.0', 'send', 'waiting')",
    )
    .await;
    f
}

fn request() -> ClaimRequest {
    ClaimRequest {
        runner_id: "ours".into(),
        handlers: vec![places("email")],
        limit: 10,
        heartbeat_interval: Duration::from_secs(10),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_created_twice_by_its_deterministic_id_is_one() {
    let f = beside().await;
    let client = Client { f: &f, name: "theirs" };
    let id = "9f86d081884c7d659a2feaa0c55ad015";
    let now = f.now().await;
    assert!(client.create(id, now).await && !client.create(id, now).await);
    let claimed = f.store.claim(&request()).await.unwrap().jobs;
    assert_eq!(claimed.iter().map(|job| job.lease.job_id.as_str()).collect::<Vec<_>>(), [id]);
    assert!(!client.create(id, now).await, "nor while it runs");
    assert_eq!(client.list("running").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_runners_and_ours_share_the_jobs_and_take_none_from_each_other() {
    let f = beside().await;
    let client = Client { f: &f, name: "theirs" };
    let now = f.now().await;
    for n in 0..20 {
        assert!(client.create(&format!("job-{n:02}"), now - 1000 + n).await);
    }
    let mut theirs = HashSet::new();
    for n in (0..20).step_by(2) {
        assert!(client.claim(&format!("job-{n:02}"), &format!("instance-{n}"), now).await);
        theirs.insert(format!("job-{n:02}"));
    }
    let ours = f.store.claim(&ClaimRequest { limit: 100, ..request() }).await.unwrap().jobs;
    let ours: HashSet<String> = ours.into_iter().map(|job| job.lease.job_id).collect();
    assert_eq!((ours.len(), ours.intersection(&theirs).count()), (10, 0));
    for id in &ours {
        assert!(!client.claim(id, "late", now).await, "{id} is ours");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_whole_life_of_a_job_works_on_our_tables() {
    let f = beside().await;
    let client = Client { f: &f, name: "theirs" };
    let now = f.now().await;
    client.create("done", now).await;
    client.create("bad", now).await;
    for id in ["done", "bad"] {
        assert!(client.claim(id, id, now).await);
        assert!(client.set(id, id, &format!("heartbeat_at = {now}, updated_at = {now}")).await);
        let checkpoint = "checkpoint = coalesce(checkpoint, '{}'::jsonb) || '{\"page\": 3}'::jsonb";
        assert!(client.set(id, id, checkpoint).await);
        assert!(client.set(id, id, "progress = '{\"percent\": 50, \"message\": \"half\"}'").await);
    }
    let job = get(&f, "done").await;
    assert_eq!((job.checkpoint.unwrap().as_str(), job.progress.unwrap().percent), ("{\"page\": 3}", 50.0));
    assert!(client.set("done", "done", "status = 'completed', result = '{\"sent\": true}'").await);
    let error = "status = 'failed', error = '{\"code\": \"HANDLER_ERROR\", \"message\": \"no\"}'";
    assert!(client.set("bad", "bad", error).await);
    let (done, bad) = (get(&f, "done").await, get(&f, "bad").await);
    assert_eq!((done.status, done.result), (Status::Completed, Some(json("{\"sent\": true}"))));
    assert_eq!((bad.status, bad.error.unwrap().code.as_str()), (Status::Failed, "HANDLER_ERROR"));
    assert_eq!((client.list("completed").await, client.list("failed").await), (1, 1));
}

/// Its runners promise a beat every 30 s, so ours give them 90, whatever our own threshold is.
#[tokio::test(flavor = "multi_thread")]
async fn our_reaper_leaves_its_running_jobs_alone_for_as_long_as_its_own_rule_does() {
    let f = beside().await;
    let client = Client { f: &f, name: "theirs" };
    let now = f.now().await;
    client.create("job", now).await;
    client.claim("job", "instance", now).await;
    client.set("job", "instance", "heartbeat_at = heartbeat_at - 80000").await;
    assert!(f.store.reap(STALLED, 10).await.unwrap().is_empty());
    client.set("job", "instance", "heartbeat_at = heartbeat_at - 20000").await;
    assert_eq!(f.store.reap(STALLED, 10).await.unwrap().len(), 1);
    let job = get(&f, "job").await;
    assert_eq!(
        (job.status, job.error.unwrap().code.as_str()),
        (Status::Pending, ErrorCode::Stalled.as_str())
    );
    assert!(!client.set("job", "instance", "status = 'completed'").await, "its late outcome changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_operators_do_reaches_our_attempts() {
    let f = beside().await;
    let client = Client { f: &f, name: "theirs" };
    client.create("job", f.now().await).await;
    let lease = {
        let mut claimed = f.store.claim(&request()).await.unwrap().jobs;
        claimed.remove(0).lease
    };
    f.execute("update fm_jobs set status = 'cancelled' where id = 'job'").await;
    assert_eq!(f.store.heartbeat(std::slice::from_ref(&lease)).await.unwrap(), [LeaseState::Cancelled]);
    assert_eq!(record(&f, &lease, Transition::Complete(None)).await, Recorded::LeaseLost);
}

/// Its simplest runner claims without an instance of its own: ours must not hold again by that.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_without_an_instance_does_not_revive_our_superseded_attempt() {
    let f = beside().await;
    let client = Client { f: &f, name: "theirs" };
    let now = f.now().await;
    client.create("job", now).await;
    let late = f.store.claim(&request()).await.unwrap().jobs.remove(0).lease;
    f.set("job", "heartbeat_at = 1").await;
    assert_eq!(f.store.reap(STALLED, 10).await.unwrap().len(), 1);
    let claimed =
        format!("status = 'running', runner_id = 'theirs', heartbeat_at = {now}, attempts = attempts + 1");
    f.set("job", &claimed).await;
    assert_eq!(f.store.heartbeat(std::slice::from_ref(&late)).await.unwrap(), [LeaseState::Lost]);
    assert_eq!(record(&f, &late, Transition::Complete(None)).await, Recorded::LeaseLost);
    assert_eq!(get(&f, "job").await.status, Status::Running);
}

/// It fences by runner where it fences at all; ours by the attempt, also against its older instances.
#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_attempt_of_either_side_changes_nothing() {
    let f = beside().await;
    let client = Client { f: &f, name: "theirs" };
    let now = f.now().await;
    client.create("job", now).await;
    client.claim("job", "old", now).await;
    client.set("job", "old", "status = 'pending'").await;
    let ours = f.store.claim(&request()).await.unwrap().jobs.remove(0);
    assert!(!client.set("job", "old", "status = 'completed', result = '1'").await);
    let forged = Lease { job_id: "job".into(), instance_id: "old".into() };
    let late = recording(&forged, Transition::Complete(None));
    assert_eq!(f.store.record(&[late]).await.unwrap(), [Recorded::LeaseLost]);
    assert_eq!(record(&f, &ours.lease, Transition::Complete(Some(json("2")))).await, Recorded::Written);
    assert_eq!(get(&f, "job").await.result, Some(json("2")));
    // And its execution, which waited for this step, goes on.
    let execution = f.store.execution("e1").await.unwrap().unwrap();
    assert_eq!((execution.status.as_str(), execution.context.as_str()), ("waiting", "{\"send\": 2}"));
    assert!(execution.wake_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn our_columns_have_defaults_that_its_rows_can_live_with() {
    let f = beside().await;
    let client = Client { f: &f, name: "theirs" };
    client.create("job", 5000).await;
    f.set("job", "handler = 'email-send'").await;
    let claimed = claim_one(&f).await;
    assert_eq!((claimed.waits, claimed.priority, claimed.retry), (0, 0, None));
    assert_eq!((claimed.resumed_with, claimed.heartbeat_timeout), (None, None));
}
