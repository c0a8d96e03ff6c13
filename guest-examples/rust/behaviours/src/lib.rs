//! Does what its input says: `{"do": "echo", "value": 1}`. Every language has this handler, uses all of its
//! library in it, and passes the same suite.

mod calls;
mod endings;

use flowmonkey::{Context, Outcome, Result, Value, json};
use serde::Deserialize;
use serde_json::Number;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What it can do, and with what. An input that is none of these is a `BAD_INPUT`.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", rename_all_fields = "camelCase")]
enum Input {
    Echo { value: Value },
    Nothing,
    Facts,
    Retryable { code: String, message: String, details: Option<Value>, after_ms: Option<u64> },
    Fatal { code: String, message: String, details: Option<Value> },
    Throw { message: String },
    Trap,
    Wait { after_ms: Option<u64>, at_ms: Option<u64>, signal: Option<String>, reason: Option<String> },
    Heartbeat { turns: u32, pause_ms: u64 },
    Progress { percent: Number, message: Option<String> },
    Checkpoint { times: u32 },
    Log,
    Print { out: String, err: String },
    Config { key: String },
    Http { method: String, url: String, headers: Option<BTreeMap<String, String>>, body: Option<String> },
    Context { key: String, value: Value },
    Enqueue { input: Value, unique_key: Option<String> },
    Idempotency { key: String, value: Value },
    Random,
    Now,
    Sleep { ms: u64 },
    Spin,
}

flowmonkey::handler!(
    run,
    describe = json!({
        "name": "behaviours",
        "description": "Does what its input says",
        "input-schema": { "type": "object", "required": ["do"] }
    })
);

fn run(ctx: &Context, input: Input) -> Result<Outcome<Value>> {
    let result = match input {
        Input::Echo { value } => value,
        Input::Nothing => return Ok(Outcome::Nothing),
        Input::Facts => calls::facts(ctx)?,
        Input::Retryable { code, message, details, after_ms } => {
            return Err(endings::retryable(code, message, details, after_ms));
        }
        Input::Fatal { code, message, details } => return Err(endings::fatal(code, message, details)),
        Input::Throw { message } => endings::deeper(message)?,
        Input::Trap => panic!("trapped"),
        Input::Wait { after_ms, at_ms, signal, reason } => {
            return endings::wait(ctx, endings::until(after_ms, at_ms, signal)?, reason);
        }
        Input::Heartbeat { turns, pause_ms } => {
            for _ in 0..turns {
                ctx.heartbeat()?;
                sleep(Duration::from_millis(pause_ms));
            }
            json!({ "turns": turns })
        }
        Input::Progress { percent, message } => {
            ctx.progress(percent.as_f64().unwrap_or_default() as f32, message.unwrap_or_default())?;
            json!({ "percent": percent })
        }
        Input::Checkpoint { times } => calls::checkpoint(ctx, times)?,
        Input::Log => {
            calls::log(ctx);
            return Ok(Outcome::Nothing);
        }
        Input::Print { out, err } => {
            println!("{out}");
            eprintln!("{err}");
            return Ok(Outcome::Nothing);
        }
        Input::Config { key } => json!({ "value": ctx.config().get(&key)? }),
        Input::Http { method, url, headers, body } => {
            calls::http(ctx, method, url, headers.unwrap_or_default(), body)?
        }
        Input::Context { key, value } => {
            ctx.execution().set(&key, &value)?;
            json!({ "value": ctx.execution().get::<Value>(&key)?, "keys": ctx.execution().keys()? })
        }
        Input::Enqueue { input, unique_key } => calls::enqueue(ctx, input, unique_key)?,
        Input::Idempotency { key, value } => calls::idempotency(ctx, &key, &value)?,
        // The standard library's only randomness are the seeds of its hash maps.
        Input::Random => json!({ "random": RandomState::new().build_hasher().finish().to_string() }),
        Input::Now => json!({ "ms": SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64 }),
        Input::Sleep { ms } => {
            sleep(Duration::from_millis(ms));
            return Ok(Outcome::Nothing);
        }
        Input::Spin => loop {
            std::hint::spin_loop();
        },
    };
    Ok(Outcome::Done(result))
}
