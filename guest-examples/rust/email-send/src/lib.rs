//! Renders a mail from a template. Shows how a handler reads its input, which failures are fatal
//! because another attempt would meet them again, how it logs, and how it returns a result.
//!
//! ```json
//! {
//!   "to": "ada@example.com",
//!   "subject": "Welcome, {{name}}",
//!   "body": "Hello {{name}}, your plan is {{plan}}.",
//!   "vars": {"name": "Ada", "plan": "free"}
//! }
//! ```

use std::collections::BTreeMap;

use exports::flowmonkey::jobs::handler::Guest;
use flowmonkey::jobs::job;
use flowmonkey::jobs::log::{Level, log};
use flowmonkey::jobs::types::{Failure, JobError, Outcome};
use serde::Deserialize;
use serde_json::json;

wit_bindgen::generate!({ world: "job-handler", path: "../../../wit" });

struct EmailSend;
export!(EmailSend);

#[derive(Deserialize)]
struct Input {
    to: String,
    subject: String,
    body: String,
    #[serde(default)]
    vars: BTreeMap<String, String>,
}

impl Guest for EmailSend {
    fn run(input: String) -> Result<Outcome, JobError> {
        let input: Input =
            serde_json::from_str(&input).map_err(|error| fatal("BAD_INPUT", error.to_string()))?;
        if !is_address(&input.to) {
            let message = format!("{:?} is not a mail address", input.to);
            return Err(fatal("BAD_ADDRESS", message));
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

/// Puts the value of each `{{name}}` in its place. Values are not searched for placeholders.
fn render(template: &str, vars: &BTreeMap<String, String>) -> Result<String, JobError> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once("{{") {
        let (name, after) = tail
            .split_once("}}")
            .ok_or_else(|| fatal("BAD_TEMPLATE", "a placeholder is not closed".to_string()))?;
        let value = vars.get(name.trim()).ok_or_else(|| {
            let message = format!("the placeholder {:?} has no value", name.trim());
            fatal("MISSING_VARIABLE", message)
        })?;
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    Ok(text + rest)
}

/// Catches slips, not every address that cannot exist: only the mail service knows those.
fn is_address(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
    text.split_once('@').is_some_and(|(user, domain)| {
        !user.is_empty() && !user.contains(odd) && domain.contains('.') && !domain.contains(odd)
    })
}

fn fatal(code: &str, message: String) -> JobError {
    JobError::Fatal(Failure { code: code.to_string(), message, details: None })
}
