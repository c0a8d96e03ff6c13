//! Greets somebody, after a pause. Shows how a handler describes itself: its version, and a schema that
//! inputs are checked against before they cost an attempt. `--features second` builds the version that a
//! demonstration pushes while jobs of the first are still running.
//!
//! ```json
//! {"name": "Ada", "pauseMs": 1500}
//! ```

use exports::flowmonkey::jobs::{handler, metadata};
use flowmonkey::jobs::control::heartbeat;
use flowmonkey::jobs::types::{Directive, Failure, JobError, Outcome};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

wit_bindgen::generate!({ world: "described-job-handler", path: "../../../wit" });

const VERSION: &str = if cfg!(feature = "second") { "2.0.0" } else { "1.0.0" };
const BEAT: Duration = Duration::from_millis(50);

struct Greet;
export!(Greet);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    name: String,
    #[serde(default)]
    pause_ms: u64,
}

impl metadata::Guest for Greet {
    fn describe() -> String {
        let input = json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "minLength": 1 },
                "pauseMs": { "type": "integer", "minimum": 0, "maximum": 60_000 }
            }
        });
        json!({
            "name": "greet",
            "version": VERSION,
            "description": "Greets somebody, after a pause",
            "input-schema": input
        })
        .to_string()
    }
}

impl handler::Guest for Greet {
    fn run(input: String) -> Result<Outcome, JobError> {
        let Input { name, pause_ms } = serde_json::from_str(&input).map_err(|error| {
            JobError::Fatal(Failure {
                code: "BAD_INPUT".to_string(),
                message: error.to_string(),
                details: None,
            })
        })?;
        let mut left = Duration::from_millis(pause_ms);
        while !left.is_zero() {
            if heartbeat() != Directive::Proceed {
                return Err(JobError::Cancelled);
            }
            let pause = left.min(BEAT);
            std::thread::sleep(pause);
            left -= pause;
        }
        let greeting =
            if cfg!(feature = "second") { format!("Good day, {name}!") } else { format!("Hello, {name}.") };
        Ok(Outcome::Success(Some(json!({ "greeting": greeting, "version": VERSION }).to_string())))
    }
}
