//! The jobs that a crash befalls, and what must become of each.

use super::fleet;
use flowmonkey_jobs::job::{Job, JsonText, NewJob, Status, Transition, Usage};
use flowmonkey_jobs::store::{
    ClaimRequest, Claimed, HandlerPlaces, Missed, NewSchedule, Recorded, Recording,
};
use flowmonkey_tests::database::{Database, Fixture};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

/// The execution whose step `mail` a job does, and the one whose context a job changes.
pub(crate) const WAITING_EXECUTION: &str = "execution-that-waits";
pub(crate) const CHANGED_EXECUTION: &str = "execution-with-context";
pub(crate) const SCHEDULE: &str = "nightly";
/// The unique key of the job that a job creates, which is due later than any test.
pub(crate) const CHILD_KEY: &str = "child";
pub(crate) const YEAR_2096: i64 = 4_000_000_000_000;
/// What a handler remembered once, and is to be forgotten.
pub(crate) const EXPIRED_KEY: &str = "expired";
/// Who died before the test began.
pub(crate) const EARLIER: &str = "earlier";
const REPORT_LINES: usize = 2500;
const ATTEMPTS_MAX: u32 = 6;

/// What a job does, and so how its attempts end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Completes.
    Mail,
    /// Fails twice.
    Flaky,
    /// Saves five checkpoints.
    Report,
    /// Waits until it is resumed.
    Waiting,
    /// Changes checkpoints, to `{"c": 3}`.
    Checkpoints,
    /// Changes its execution's context, to `{"k": 2}`.
    Context,
    /// Creates a job.
    Parent,
    /// Remembers what it did, and looks it up.
    Mindful,
}

/// What the database holds when a crash is about to come.
pub(crate) struct World {
    pub(crate) jobs: Vec<(Kind, String)>,
    /// Left running by a runner that fell silent.
    pub(crate) stalled: String,
    /// Completed so long ago that it is to be deleted.
    pub(crate) old: String,
}

impl World {
    pub(crate) async fn prepare(f: &Fixture) -> Self {
        count_wakes(f).await;
        let old = create(f, NewJob::new("email-send", mail())).await;
        let lease = claim(f).await.lease;
        let ended = Recording {
            lease,
            transition: Transition::Complete(None),
            usage: Usage::default(),
            progress: None,
            ran: None,
            keep: true,
        };
        assert_eq!(f.store.record(&[ended]).await.unwrap(), [Recorded::Written]);
        f.set(&old, "updated_at = updated_at - 7200000").await;
        let stalled = create(f, NewJob::new("email-send", mail())).await;
        assert_eq!(claim(f).await.lease.job_id, stalled);
        f.set(&stalled, "heartbeat_at = heartbeat_at - 7200000").await;
        let mut jobs = vec![(Kind::Mail, stalled.clone())];
        for (kind, job) in new_jobs(f).await {
            jobs.push((kind, create(f, job).await));
        }
        f.execute(&format!(
            "insert into fm_idempotency (handler, key, value, job_id, created_at, expires_at)
            values ('probe', '{EXPIRED_KEY}', '1', 'j', 1, 2)"
        ))
        .await;
        schedule(f).await;
        World { jobs, stalled, old }
    }

    /// The jobs with what is known of them now, the schedule's last; `None` is one that is not there yet.
    pub(crate) async fn look(&self, f: &Fixture) -> Vec<(Kind, Option<Job>)> {
        let mut found = Vec::new();
        for (kind, id) in &self.jobs {
            found.push((*kind, f.store.get(id).await.unwrap()));
        }
        let scheduled = format!("select max(id) from fm_jobs where schedule = '{SCHEDULE}'");
        let scheduled = match f.text(&scheduled).await {
            Some(id) => f.store.get(&id).await.unwrap(),
            None => None,
        };
        found.push((Kind::Mail, scheduled));
        found
    }
}

fn text(value: Value) -> JsonText {
    JsonText::parse(&value.to_string()).unwrap()
}

fn mail() -> JsonText {
    text(json!({"to": "ada@example.com", "subject": "Hi", "body": "Hello"}))
}

async fn create(f: &Fixture, job: NewJob) -> String {
    let job = NewJob { max_attempts: ATTEMPTS_MAX, ..job };
    f.store.create(job).await.unwrap().job.id
}

/// As the runner that is dead by now.
async fn claim(f: &Fixture) -> Claimed {
    let request = ClaimRequest {
        runner_id: EARLIER.into(),
        handlers: vec![HandlerPlaces { handler: "email-send".into(), places: None, fleet_max: None }],
        limit: 1,
        heartbeat_interval: Duration::from_millis(100),
    };
    f.store.claim(&request).await.unwrap().jobs.remove(0)
}

async fn new_jobs(f: &Fixture) -> Vec<(Kind, NewJob)> {
    for (id, status) in [(WAITING_EXECUTION, "waiting"), (CHANGED_EXECUTION, "running")] {
        let values = format!("('{id}', 'flow', '1', 'mail', '{status}', '{{}}')");
        let columns = "(id, flow_id, flow_version, current_step, status, context)";
        f.execute(&format!("insert into fm_executions {columns} values {values}")).await;
    }
    let line = r#"{"region":"north","product":"tea","amount":1}"#;
    let report = json!({"records": vec![line; REPORT_LINES].join("\n"), "pauseMsPerBatch": 40});
    let checkpoints =
        json!([["save", "a", "1"], ["save", "b", "2"], ["delete", "a"], ["clear"], ["save", "c", "3"]]);
    let context = json!([["set", "k", "1"], ["delete", "k"], ["set", "k", "2"]]);
    let child = json!([{"handler": "email-send", "key": CHILD_KEY, "at": YEAR_2096}]);
    let memory = json!([["record", "k", "1"], ["lookup", "k"]]);
    let of = |execution: &str, step: &str, job| NewJob {
        execution_id: Some(execution.into()),
        step_id: Some(step.into()),
        ..job
    };
    let probe = |input| NewJob::new("probe", text(input));
    let step = of(WAITING_EXECUTION, "mail", NewJob::new("email-send", mail()));
    let context = of(CHANGED_EXECUTION, "context", probe(json!({"do": "context", "steps": context})));
    vec![
        (Kind::Report, NewJob::new("report-generate", text(report))),
        (Kind::Mail, step),
        (Kind::Flaky, NewJob::new("flaky", text(json!({"failures": 2, "retryAfterMs": 0})))),
        (Kind::Waiting, probe(json!({"do": "wait-until-resumed"}))),
        (Kind::Checkpoints, probe(json!({"do": "checkpoints", "steps": checkpoints}))),
        (Kind::Context, context),
        (Kind::Parent, probe(json!({"do": "queue", "steps": child}))),
        (Kind::Mindful, probe(json!({"do": "idempotency", "steps": memory}))),
        (Kind::Mail, NewJob::new("email-send", mail())),
    ]
}

/// One slot is due, and the next one years away.
async fn schedule(f: &Fixture) {
    let spec = NewSchedule {
        missed: Missed::Once,
        max_attempts: ATTEMPTS_MAX,
        ..NewSchedule::new(SCHEDULE, "0 0 29 2 *", "email-send", mail())
    };
    f.store.put_schedule(&spec, Some(f.now().await - 1000)).await.unwrap();
}

/// Has the database write down each time it is told to wake an execution.
async fn count_wakes(f: &Fixture) {
    f.execute("create table wakes (execution text)").await;
    let trigger = match f.database {
        Database::Postgres(_) => {
            "create function note_wake() returns trigger language plpgsql as $$ begin
                 insert into wakes values (new.id); return null; end $$;
             create trigger wakes after update on fm_executions for each row
                 when (new.wake_at is distinct from old.wake_at) execute function note_wake()"
        }
        Database::Sqlite(_) => {
            "create trigger wakes after update on fm_executions when new.wake_at is not old.wake_at begin
                 insert into wakes values (new.id); end"
        }
    };
    f.execute(trigger).await;
}

/// Number and outcome of all attempts that a job must have in the end, from what it was when the process
/// died: an attempt that was under way stalls, and counts; all else goes on as ever.
pub(crate) fn must_become(kind: Kind, at_death: Option<&Job>) -> Vec<(u32, String)> {
    let mut attempts = history(at_death);
    let mut counted = at_death.map_or(0, |job| job.attempts);
    if at_death.is_some_and(|job| job.status == Status::Running) {
        attempts.push((counted, "stalled".into()));
    }
    while attempts.last().is_none_or(|(_, outcome)| outcome != "completed") {
        let waited = attempts.iter().any(|(_, outcome)| outcome == "waiting");
        let outcome = match kind {
            Kind::Flaky if counted < 2 => "retried",
            Kind::Waiting if !waited => "waiting",
            _ => "completed",
        };
        attempts.push((counted + 1, outcome.into()));
        counted += u32::from(outcome != "waiting");
    }
    attempts
}

pub(crate) fn history(job: Option<&Job>) -> Vec<(u32, String)> {
    let entries = job.map_or(&[][..], |job| &job.history);
    entries.iter().map(|entry| (entry.attempt, entry.outcome.clone())).collect()
}

/// What holds for every job whatever befell it, and what its work must have left.
pub(crate) fn check_end(kind: Kind, at_death: Option<&Job>, job: &Job) {
    assert_eq!(job.status, Status::Completed, "{job:?}");
    let leases: HashSet<&str> = job.history.iter().map(|entry| entry.instance_id.as_str()).collect();
    assert_eq!(leases.len(), job.history.len(), "an attempt is recorded twice: {job:?}");
    assert_eq!(job.attempts, job.history.last().unwrap().attempt, "{job:?}");
    for entry in job.history.iter().filter(|entry| entry.outcome == "stalled") {
        assert!([Some(EARLIER), Some(fleet::FIRST)].contains(&entry.runner_id.as_deref()), "{job:?}");
    }
    let result: Value = serde_json::from_str(job.result.as_ref().unwrap().as_str()).unwrap();
    match kind {
        Kind::Mail => assert_eq!(result["sent"], true),
        Kind::Flaky => assert!(result["attempt"].as_u64() >= Some(3), "{result}"),
        Kind::Report => check_report(at_death, &result),
        Kind::Waiting => assert_eq!(result, fleet::payload()),
        Kind::Checkpoints => assert_eq!(checkpoint(job), json!({"c": 3})),
        Kind::Context => assert_eq!(result.as_array().unwrap().len(), 3),
        Kind::Parent => assert!(result[0].is_string(), "{result}"),
        Kind::Mindful => assert_eq!(result, json!(["recorded", "1"])),
    }
}

/// It goes on from the checkpoint, and counts each line once.
fn check_report(at_death: Option<&Job>, result: &Value) {
    assert_eq!(
        (&result["lines"], &result["byRegion"]["north"]["count"]),
        (&json!(REPORT_LINES), &json!(REPORT_LINES))
    );
    let at_death = at_death.unwrap();
    if at_death.status != Status::Completed {
        let saved = &checkpoint(at_death)["report"]["lines"];
        let next = saved.as_u64().map(|lines| lines + 1);
        assert_eq!(result["resumedFromLine"], json!(next), "the last checkpoint counts");
    }
}

pub(crate) fn checkpoint(job: &Job) -> Value {
    job.checkpoint.as_ref().map_or(Value::Null, |text| serde_json::from_str(text.as_str()).unwrap())
}
