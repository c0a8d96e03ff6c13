//! Renders a mail from a template. Shows how a handler reads its input, which failures are fatal
//! because another attempt would meet them again, how it remembers what it has sent, and how it logs.
//!
//! ```json
//! {
//!   "to": "ada@example.com",
//!   "subject": "Welcome, {{name}}",
//!   "body": "Hello {{name}}, your plan is {{plan}}.",
//!   "vars": {"name": "Ada", "plan": "free"},
//!   "messageId": "welcome-17"
//! }
//! ```
//!
//! With a `messageId`, which takes the grant `idempotency`, no second mail of that id goes to the address.

mod mail;

use std::collections::BTreeMap;

use exports::flowmonkey::jobs::handler::Guest;
use flowmonkey::jobs::log::{Level, log};
use flowmonkey::jobs::types::{Failure, HostError, JobError, Outcome};
use flowmonkey::jobs::{idempotency, job};
use mail::{is_address, render};
use serde::Deserialize;
use serde_json::json;

wit_bindgen::generate!({ world: "job-handler", path: "../../../wit" });

struct EmailSend;
export!(EmailSend);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    to: String,
    subject: String,
    body: String,
    #[serde(default)]
    vars: BTreeMap<String, String>,
    message_id: Option<String>,
}

impl Guest for EmailSend {
    fn run(input: String) -> Result<Outcome, JobError> {
        let input: Input =
            serde_json::from_str(&input).map_err(|error| fatal("BAD_INPUT", error.to_string()))?;
        if !is_address(&input.to) {
            let message = format!("{:?} is not a mail address", input.to);
            return Err(fatal("BAD_ADDRESS", message));
        }
        let key = input.message_id.as_ref().map(|id| format!("email-{}-{id}", input.to));
        if let Some(key) = &key
            && idempotency::lookup(key).map_err(failed)?.is_some()
        {
            return Ok(Outcome::Success(Some(json!({ "alreadySent": true }).to_string())));
        }
        let subject = render(&input.subject, &input.vars)?;
        let body = render(&input.body, &input.vars)?;

        // Nothing leaves the sandbox: that would take the grant `http`. The rendered mail is the
        // result. A real sender would hand the key to the mail service, which then drops the
        // second request of a job that runs twice.
        let idempotency_key = job::idempotency_key();
        let fields =
            [("to".to_string(), input.to.clone()), ("bodyBytes".to_string(), body.len().to_string())];
        log(Level::Info, "mail rendered", &fields);
        if let Some(key) = &key {
            idempotency::record(key, "true", None).map_err(failed)?;
        }

        let result = json!({
            "sent": true,
            "to": input.to,
            "subject": subject,
            "body": body,
            "idempotencyKey": idempotency_key,
        });
        Ok(Outcome::Success(Some(result.to_string())))
    }
}

/// What the host did not do now it may do later, but for what it will never do.
fn failed(error: HostError) -> JobError {
    let failure = Failure { code: "IDEMPOTENCY".to_string(), message: format!("{error:?}"), details: None };
    match error {
        HostError::Denied(_) | HostError::Invalid(_) => JobError::Fatal(failure),
        _ => JobError::Other(failure),
    }
}

fn fatal(code: &str, message: String) -> JobError {
    JobError::Fatal(Failure { code: code.to_string(), message, details: None })
}
