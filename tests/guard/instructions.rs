//! How many instructions the part of a job takes that does no I/O and runs no guest: counted by valgrind's callgrind,
//! which runs this very test once more.

use flowmonkey_jobs::job::{
    Attempt, JsonText, NewJob, Outcome, RetryPolicy, Transition, Usage, WAITS_MAX_DEFAULT, transition,
};
use std::hint::black_box;
use std::process::Command;

const INPUT: &str =
    r#"{"to": "ada@example.com", "subject": "Hi", "body": "Hello {{name}}", "vars": {"name": "Ada"}}"#;
const ROUNDS: u64 = 2000;
/// Asks the test to be the program that is counted.
const COUNTED: &str = "FLOWMONKEY_COUNTED_ROUNDS";
/// The most that one round may take.
const EACH_MAX: u64 = 16_000;

/// A job is made, its input and its result are read, its outcome is judged, and its cost is written.
fn round(number: u32) {
    let job = NewJob::new("email-send", JsonText::parse(black_box(INPUT)).unwrap());
    assert!(job.check().is_ok());
    let result = JsonText::parse_limited(black_box(INPUT), 1 << 20).unwrap();
    let attempt = Attempt {
        number: 1 + number % 2,
        max: 3,
        retry: RetryPolicy::default(),
        waits: 0,
        waits_max: WAITS_MAX_DEFAULT,
    };
    let next = transition(&attempt, Outcome::Success(Some(result)), 0.5);
    assert!(matches!(black_box(next), Transition::Complete(Some(_))));
    let usage = Usage { fuel: Some(u64::from(number)), memory_bytes: 1 << 20, wall_us: 25 };
    black_box(serde_json::to_string(&usage).unwrap());
}

fn instructions(rounds: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "instructions::the_pure_path_is_short", "--nocapture", "--test-threads=1"])
        .env(COUNTED, rounds.to_string())
        .output()
        .unwrap_or_else(|error| panic!("valgrind: {error}; `cargo xtask test` installs it"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let count = text.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
    count.unwrap_or_else(|| panic!("no count in: {text}")).parse().unwrap()
}

#[test]
fn the_pure_path_is_short() {
    if let Ok(rounds) = std::env::var(COUNTED) {
        (0..rounds.parse().unwrap()).for_each(round);
        return;
    }
    // What the process itself takes is in both.
    let each = (instructions(ROUNDS) - instructions(0)) / ROUNDS;
    println!("{each} instructions a round");
    assert!((100..=EACH_MAX).contains(&each), "{each} instructions a round, more than {EACH_MAX}");
}
