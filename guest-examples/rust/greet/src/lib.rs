//! Greets somebody, after a pause. Shows how a handler describes itself: its version, and a schema that
//! inputs are checked against before they cost an attempt. `--features second` builds the version that a
//! demonstration pushes while jobs of the first are still running.
//!
//! ```json
//! {"name": "Ada", "pauseMs": 1500}
//! ```

use flowmonkey::{Context, Result, Value, json};
use serde::Deserialize;
use std::{thread::sleep, time::Duration};

const VERSION: &str = if cfg!(feature = "second") { "2.0.0" } else { "1.0.0" };
const BEAT: Duration = Duration::from_millis(50);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    name: String,
    #[serde(default)]
    pause_ms: u64,
}

flowmonkey::handler!(
    run,
    describe = json!({
        "name": "greet",
        "version": VERSION,
        "description": "Greets somebody, after a pause",
        "input-schema": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "minLength": 1 },
                "pauseMs": { "type": "integer", "minimum": 0, "maximum": 60_000 }
            }
        }
    })
);

fn run(ctx: &Context, input: Input) -> Result<Value> {
    let Input { name, pause_ms } = input;
    let mut left = Duration::from_millis(pause_ms);
    while !left.is_zero() {
        ctx.heartbeat()?;
        let pause = left.min(BEAT);
        sleep(pause);
        left -= pause;
    }
    let greeting =
        if cfg!(feature = "second") { format!("Good day, {name}!") } else { format!("Hello, {name}.") };
    Ok(json!({ "greeting": greeting, "version": VERSION }))
}
