//! A guest that does whatever its input says: `{"do": NAME, …}`. What it finds out is its result.

wit_bindgen::generate!({ world: "described-job-handler", path: "../../wit" });

mod authority;
mod config;
mod description;
mod http;
mod stores;

use exports::flowmonkey::jobs::handler::Guest;
use flowmonkey::jobs::types::{Failure, JobError, Outcome, Retry, Wait, Wake};
use flowmonkey::jobs::{control, job, log};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use stores::{denied, steps};

struct Probe;
export!(Probe);

type Ended = Result<Outcome, JobError>;

/// Lives in memory, so a second attempt in the same instance would see more than one.
static RUNS: AtomicU32 = AtomicU32::new(0);

impl Guest for Probe {
    fn run(input: String) -> Ended {
        let input: Value = serde_json::from_str(&input).map_err(|_| fail("BAD_INPUT", "not JSON"))?;
        let number = input["n"].as_u64().unwrap_or(0);
        let text = input["text"].as_str().unwrap_or_default();
        if let Some(words) = input["say"].as_str() {
            eprintln!("{words}");
        }
        match input["do"].as_str().unwrap_or_default() {
            "echo" => done(input),
            "runs" => done(runs()),
            "facts" => done(facts()),
            "panic" => panic!("{text}"),
            "exit" => std::process::exit(number as i32),
            "abort" => std::process::abort(),
            "overflow" => done(deeper(number, 1)),
            "take-memory" => done(take_memory(number)),
            "sleep" => done(sleep(number)),
            "raw-result" => Ok(Outcome::Success(Some(text.to_owned()))),
            "large-result" => Ok(Outcome::Success(Some(format!("\"{}\"", "x".repeat(number as usize))))),
            "deep-result" => Ok(Outcome::Success(Some("[".repeat(number as usize)))),
            "print" => done(print(number, text)),
            "log" => done(log_lines(number, text)),
            "retryable" => {
                Err(JobError::Retryable(Retry { failure: failure(&input), after_ms: input["n"].as_u64() }))
            }
            "fatal" => Err(JobError::Fatal(failure(&input))),
            "other" => Err(JobError::Other(failure(&input))),
            "cancelled" => Err(JobError::Cancelled),
            "wait" => Ok(Outcome::Wait(wait(&input))),
            "progress" => done(progress(&input)),
            "heartbeat" => done(json!(format!("{:?}", control::heartbeat()))),
            "beat-until-told" => beat_until_told(),
            "beat-for-ever" => loop {
                control::progress(1.0, None);
            },
            "storm-heartbeat" => loop {
                control::heartbeat();
            },
            "beat-slowly" => done(beat_slowly(number)),
            "wait-until-resumed" => wait_until_resumed(),
            interface @ ("checkpoints" | "context" | "idempotency") => {
                done(steps(interface, &input["steps"]))
            }
            "queue" => enqueue(&input),
            "storm" => done(stores::storm(input["of"].as_str().unwrap(), &input["step"], number)),
            "fork" => done(stores::fork(&input)),
            "denied" => done(denied()),
            "authority" => done(authority::look()),
            "config" => done(config::read(&input["keys"], input["spell"] == json!(true))),
            "give-away" => give_away(&input, &config::value(input["key"].as_str().unwrap_or_default())),
            "http" => done(http::requests(&input)),
            "hoard-fields" => done(http::hoard_fields(number, input["bytes"].as_u64().unwrap_or(0))),
            "random" => done(json!(authority::random(number).len())),
            other => Err(fail("BAD_INPUT", &format!("no such thing to do: {other:?}"))),
        }
    }
}

fn done(found: Value) -> Ended {
    Ok(Outcome::Success(Some(found.to_string())))
}

fn fail(code: &str, message: &str) -> JobError {
    JobError::Fatal(Failure { code: code.into(), message: message.into(), details: None })
}

fn failure(input: &Value) -> Failure {
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    let details = input["details"].as_str().map(str::to_owned);
    Failure { code: text("code"), message: text("text"), details }
}

/// Tells a secret in every way there is.
fn give_away(input: &Value, secret: &str) -> Ended {
    match input["by"].as_str().unwrap_or_default() {
        "log" => {
            log::log(log::Level::Info, &format!("it is {secret}"), &[("field".into(), secret.into())]);
            println!("out {secret}");
            eprintln!("err {secret}");
            control::progress(1.0, Some(secret));
            done(json!("told"))
        }
        "result" => done(json!({"it": secret})),
        "error" => Err(JobError::Fatal(Failure {
            code: secret.into(),
            message: format!("it is {secret}"),
            details: Some(json!({"it": secret}).to_string()),
        })),
        "panic" => panic!("it is {secret}"),
        "wait" => Ok(Outcome::Wait(Wait { until: Wake::Signal(secret.into()), reason: Some(secret.into()) })),
        interface @ ("checkpoints" | "context" | "idempotency" | "queue") => {
            let quoted = json!(secret).to_string();
            let calls = match interface {
                "checkpoints" => json!([["save", secret, "1"], ["save", "k", quoted]]),
                "context" => json!([["set", secret, "1"], ["set", "k", quoted]]),
                "idempotency" => json!([["record", secret, "1"], ["record", "k", quoted]]),
                _ => json!([{"handler": "other", "input": quoted}, {"handler": "other", "key": secret}]),
            };
            done(steps(interface, &calls))
        }
        other => Err(fail("BAD_INPUT", other)),
    }
}

fn runs() -> Value {
    json!(RUNS.fetch_add(1, Ordering::Relaxed) + 1)
}

fn facts() -> Value {
    json!({
        "id": job::id(), "handler": job::handler(), "execution": job::execution_id(), "step": job::step_id(),
        "key": job::idempotency_key(), "attempt": job::attempt(), "max": job::max_attempts(),
        "resumed": job::resumed_with(), "deadline": job::deadline_ms(), "trace": job::trace_parent(), "cancelled": control::cancelled(),
    })
}

fn deeper(levels: u64, seen: u64) -> Value {
    // What is used after the call keeps it from becoming a loop.
    let kept = std::hint::black_box([seen; 16]);
    let below = if levels == 0 { json!(0) } else { deeper(levels - 1, seen + 1) };
    std::hint::black_box(kept);
    below
}

/// Touches so many bytes, a quarter of a MiB at a time.
fn take_memory(bytes: u64) -> Value {
    let mut held = Vec::new();
    while (held.len() as u64) * 0x4_0000 < bytes {
        held.push(std::hint::black_box(vec![1u8; 0x4_0000]));
    }
    json!(held.len())
}

fn sleep(ms: u64) -> Value {
    std::thread::sleep(std::time::Duration::from_millis(ms));
    json!("awake")
}

fn print(lines: u64, text: &str) -> Value {
    for _ in 0..lines {
        println!("{text}");
        eprintln!("{text}");
    }
    std::io::stdout().flush().unwrap();
    json!(lines)
}

fn log_lines(lines: u64, text: &str) -> Value {
    for n in 0..lines {
        log::log(log::Level::Info, text, &[("n".into(), n.to_string())]);
    }
    json!(lines)
}

fn wait(input: &Value) -> Wait {
    let until = match input["until"].as_str() {
        Some(signal) => Wake::Signal(signal.to_owned()),
        None if !input["at"].is_null() => Wake::At(input["at"].as_u64().unwrap()),
        None => Wake::After(input["n"].as_u64().unwrap()),
    };
    Wait { until, reason: input["text"].as_str().map(str::to_owned) }
}

fn progress(input: &Value) -> Value {
    let percent = match input["percent"].as_str() {
        Some("nan") => f32::NAN,
        Some("infinity") => f32::INFINITY,
        _ => input["percent"].as_f64().unwrap() as f32,
    };
    json!(format!("{:?}", control::progress(percent, input["text"].as_str())))
}

fn beat_until_told() -> Ended {
    use flowmonkey::jobs::types::Directive;
    while control::heartbeat() == Directive::Proceed {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Err(JobError::Cancelled)
}

/// Enqueues; fails afterwards in the first so many attempts.
fn enqueue(input: &Value) -> Ended {
    let answers = steps("queue", &input["steps"]);
    if u64::from(job::attempt()) <= input["failures"].as_u64().unwrap_or(0) {
        let failure =
            Failure { code: "LATER".into(), message: "enqueued, then failed".into(), details: None };
        return Err(JobError::Retryable(Retry { failure, after_ms: Some(0) }));
    }
    done(answers)
}

/// Five pauses of so many milliseconds, with a sign of life after each.
fn beat_slowly(ms: u64) -> Value {
    for _ in 0..5 {
        sleep(ms);
        control::heartbeat();
    }
    json!("awake")
}

/// Waits for a signal until somebody resumes the job; what it is resumed with is the result.
fn wait_until_resumed() -> Ended {
    match job::resumed_with() {
        Some(payload) => Ok(Outcome::Success(Some(payload))),
        None => Ok(Outcome::Wait(Wait { until: Wake::Signal("paid".into()), reason: None })),
    }
}
