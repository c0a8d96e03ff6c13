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

use flowmonkey::{Context, Error, Result, Value, json};
use mail::{is_address, render};
use serde::Deserialize;
use std::collections::BTreeMap;

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

flowmonkey::handler!(run);

fn run(ctx: &Context, input: Input) -> Result<Value> {
    let Input { to, subject, body, vars, message_id } = input;
    if !is_address(&to) {
        return Err(Error::fatal("BAD_ADDRESS", format_args!("{to:?} is not a mail address")));
    }
    let key = message_id.map(|id| format!("email-{to}-{id}"));
    if let Some(key) = &key
        && ctx.idempotency().lookup::<Value>(key)?.is_some()
    {
        return Ok(json!({ "alreadySent": true }));
    }
    let subject = render(&subject, &vars)?;
    let body = render(&body, &vars)?;

    // Nothing leaves the sandbox: that would take the grant `http`. The rendered mail is the result. A real
    // sender would hand the key to the mail service, which then drops the second request of a job that
    // runs twice.
    let idempotency_key = ctx.idempotency_key();
    ctx.log().info("mail rendered", &[("to", &to), ("bodyBytes", &body.len())]);
    if let Some(key) = &key {
        ctx.idempotency().record(key, &true)?;
    }
    Ok(json!({
        "sent": true, "to": to, "subject": subject, "body": body, "idempotencyKey": idempotency_key
    }))
}
