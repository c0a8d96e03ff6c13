//! What every binding offers, seen from outside: jobs for the handler `behaviours`, which does what its input says.

mod cases;
mod lasting;

use crate::check::{Row, error, holds, result};
use crate::rig::{ALLOWED, NOTHING_ALLOWED, Rig};
use cases::{Case, Expected};
use flowmonkey_jobs::job::{Job, JsonText, NewJob, RetryPolicy, Status};
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::server::{Reply, Server};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const HANDLER: &str = "behaviours";
const EXECUTIONS: &str = "insert into fm_executions (id, flow_id, flow_version, status, current_step, context)
    values ('e1', 'f', '1', 'waiting', 'look', '{}'), ('e2', 'f', '1', 'waiting', 'look', '{\"user\": \"Ada\"}'),
        ('e3', 'f', '1', 'waiting', 'look', '{}')";

/// All behaviours of one language on one store: a cell each.
pub(crate) async fn all(language: &str, fixture: Fixture) {
    fixture.execute(EXECUTIONS).await;
    let server = Server::start(answer).await;
    let mut rig = Rig::start(language, &[HANDLER], ALLOWED, fixture).await;
    let mut row = Row::of("behaviours", language, &rig.fixture);
    let cases = cases::all(language, server.port);
    let mut ids = Vec::new();
    for case in &cases {
        ids.push(rig.create(job(case)).await);
    }
    for (case, id) in cases.iter().zip(&ids) {
        let ended = rig.ended(id).await;
        row.cell(case.name, verdict(case, &ended));
    }
    let mut cells = cases.len();
    cells += lasting::all(&mut rig, &mut row).await;
    row.cell("http sends what it is told", sent(&server));
    cells += 1;

    // The same component under an operator who allows nothing.
    rig.runner().signal("TERM");
    assert_eq!(rig.runner().wait(), 0);
    rig.restart(NOTHING_ALLOWED);
    for case in cases::denied(server.port) {
        let id = rig.create(job(&case)).await;
        row.cell(case.name, verdict(&case, &rig.ended(&id).await));
        cells += 1;
    }
    assert_eq!(server.requests().len(), 1, "a denied request reached the server");
    row.assert(cells);
}

/// A retryable failure shows by its second attempt.
pub(crate) fn job(case: &Case) -> NewJob {
    let input = JsonText::parse(&case.input.to_string()).unwrap();
    let execution = case.execution.map(str::to_owned);
    let retry = RetryPolicy { base: Duration::from_millis(1), ..RetryPolicy::default() };
    NewJob {
        step_id: execution.as_ref().map(|_| "look".to_owned()),
        execution_id: execution,
        max_attempts: case.attempts,
        retry: Some(retry),
        ..NewJob::new(HANDLER, input)
    }
}

fn verdict(case: &Case, job: &Job) -> Result<(), String> {
    let came_to = || format!("it came to {} {} {}", job.status, result(job), error(job));
    let status = |wanted: Status| if job.status == wanted { Ok(()) } else { Err(came_to()) };
    match &case.expected {
        Expected::Result(wanted) => {
            status(Status::Completed)?;
            holds(&result(job), wanted).map_err(|why| format!("the result{why}"))
        }
        Expected::Failure { wanted, attempts, mentions } => {
            status(Status::Failed)?;
            holds(&error(job), wanted).map_err(|why| format!("the error{why}; {}", came_to()))?;
            if job.attempts != *attempts {
                return Err(format!("{} attempts, wanted {attempts}; {}", job.attempts, came_to()));
            }
            let text = error(job).to_string();
            let missing = mentions.iter().find(|word| !text.contains(**word));
            missing.map_or(Ok(()), |word| Err(format!("the error does not mention {word:?}: {text}")))
        }
    }
}

fn answer(_: &str) -> Reply {
    Reply::Whole("HTTP/1.1 201 Created\r\ncontent-length: 7\r\nx-answer: yes\r\n\r\nanswer\u{7f}".into())
}

/// What the server heard is what the handler was told to send.
fn sent(server: &Server) -> Result<(), String> {
    let requests = server.requests();
    let [request] = requests.as_slice() else { return Err(format!("{} requests came", requests.len())) };
    let lower = request.to_lowercase();
    let wanted = ["post /things?a=b", "x-key: k1", "a body"];
    let missing = wanted.iter().find(|part| !lower.contains(**part));
    missing.map_or(Ok(()), |part| Err(format!("{part:?} is not in {request:?}")))
}

/// The job's input: what to do, and with what.
pub(crate) fn doing(what: &str, with: Value) -> Value {
    let mut input = json!({ "do": what });
    let with = with.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(with);
    input
}
