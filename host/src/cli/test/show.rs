//! Trials for people.

use super::Ended;
use super::expect::{self, Ending, Miss};
use super::subject::Tried;
use crate::cli::show;
use crate::cli::table::{fuel, memory, pairs, printable, progress, short, wall};
use flowmonkey_jobs::job::{JsonText, NewJob, Outcome, Wake};
use flowmonkey_jobs::sandbox::MadeRequest;
use flowmonkey_jobs::trial::{TrialLine, TrialReport, Values};
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

/// Lines of a log, requests and the like that are shown; `--json` has all.
const SHOWN_MAX: usize = 100;
/// Lines of a failed case's log that are shown: the last ones.
const FAILED_LINES_MAX: usize = 20;
/// Whoever gave it knows the rest.
const INPUT_CHARS_MAX: usize = 120;
const VALUE_CHARS_MAX: usize = 500;

/// An attempt with all that it did.
pub(super) fn whole(tried: &Tried, input: &JsonText) -> String {
    let Tried { handler, version, report, notes } = tried;
    let mut facts = vec![
        ("handler", format!("{handler}, version {version}")),
        ("input", short(input.as_str(), INPUT_CHARS_MAX)),
        ("outcome", outcome(&report.outcome)),
    ];
    let result = match &report.outcome {
        Outcome::Success(result) => result.as_ref().map(show::payload),
        _ => None,
    };
    facts.extend(result.map(|result| ("result", result)));
    facts.extend(expect::error(&report.outcome).map(|error| ("error", show::error(error))));
    facts.extend([
        ("fuel", fuel(&report.usage)),
        ("memory", memory(&report.usage)),
        ("time", wall(&report.usage)),
    ]);
    if !report.calls.is_empty() {
        let calls: Vec<String> = report.calls.iter().map(|(name, count)| format!("{name} {count}")).collect();
        facts.push(("calls", calls.join(", ")));
    }
    facts.extend(notes.iter().map(|note| ("note", note.clone())));
    let mut text = pairs(&facts);
    lists(&mut text, report);
    text
}

fn lists(text: &mut String, report: &TrialReport) {
    list(text, "progress", report.progress.iter().map(progress));
    list(text, "checkpoints at the end", values(&report.checkpoint));
    list(text, "context at the end", report.context.iter().flat_map(values));
    list(text, "idempotency keys at the end", values(&report.idempotency));
    list(text, "jobs created", report.enqueued.iter().map(|(id, job)| created(id, job)));
    list(text, "HTTP requests", report.requests.iter().map(request));
    list(text, "log", report.lines.iter().map(line));
}

fn values(values: &Values) -> impl Iterator<Item = String> {
    let width = values.keys().map(|key| key.chars().count()).max().unwrap_or_default();
    values
        .iter()
        .map(move |(key, value)| format!("{key:<width$}  {}", short(value.as_str(), VALUE_CHARS_MAX)))
}

fn list(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        let _ = write!(text, "\n\n {title}");
    }
    for line in lines.iter().take(SHOWN_MAX) {
        let _ = write!(text, "\n   {}", indented(line));
    }
    if let Some(more) = lines.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        let _ = write!(text, "\n   and {more} more; --json shows all");
    }
}

fn indented(text: &str) -> String {
    let text = printable(text);
    text.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n   ")
}

fn line(line: &TrialLine) -> String {
    let mut text = format!("{:<5}  {}", line.level.as_str(), line.message);
    for (name, value) in &line.fields {
        let _ = write!(text, "  {name}={value}");
    }
    text
}

fn created(id: &str, job: &NewJob) -> String {
    format!("{id}  {}  {}", job.handler, short(job.input.as_str(), VALUE_CHARS_MAX))
}

fn request(request: &MadeRequest) -> String {
    let MadeRequest { method, url, status, error } = request;
    let status = status.map(|status| format!("  {status}")).unwrap_or_default();
    let error = error.as_ref().map(|error| format!("\n  failed: {error}")).unwrap_or_default();
    format!("{method} {url}{status}{error}")
}

fn outcome(outcome: &Outcome) -> String {
    let word = Ending::of(outcome).as_str();
    match outcome {
        Outcome::Wait { until, reason } => {
            let until = match until {
                Wake::After(pause) => format!("for {}", humantime::format_duration(*pause)),
                Wake::Signal(name) => format!("for the signal {name:?}"),
                Wake::At(at) => {
                    let since = Duration::from_millis(u64::try_from(*at).unwrap_or_default());
                    let moment = UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH);
                    format!("until {}", humantime::format_rfc3339_millis(moment))
                }
            };
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{word} {until}{reason}")
        }
        Outcome::Retryable { after: Some(pause), .. } => {
            format!("{word}, after {}", humantime::format_duration(*pause))
        }
        Outcome::Success(None) => format!("{word}, without a result"),
        _ => word.to_owned(),
    }
}

/// The titles of what [`case`] shows.
pub(super) fn header() -> String {
    row(["", "OUTCOME", "FUEL", "MEMORY", "TIME", "CASE"])
}

/// A case in one line.
pub(super) fn case(ended: &Ended) -> String {
    let usage = &ended.tried.report.usage;
    let outcome = Ending::of(&ended.tried.report.outcome).as_str();
    let state = if ended.is_ok() { "ok" } else { "FAILED" };
    row([state, outcome, &fuel(usage), &memory(usage), &wall(usage), &ended.name])
}

/// Widths are known before the first case ends. The name, which may be a sentence, comes last.
fn row([state, outcome, fuel, memory, wall, name]: [&str; 6]) -> String {
    format!("{state:<6}  {outcome:<9}  {fuel:>6}  {memory:>9}  {wall:>8}  {name}")
}

/// What was expected of a case and what came, and what its handler said meanwhile.
pub(super) fn failed(ended: &Ended) -> String {
    let report = &ended.tried.report;
    let mut text = format!("FAILED  {}", ended.name);
    for Miss { what, expected, came } in &ended.misses {
        let cut = |value: &str| indented(&short(value, 4 * VALUE_CHARS_MAX));
        let _ = write!(text, "\n   {what:<10}  expected  {}", cut(expected));
        let _ = write!(text, "\n   {:<10}  came      {}", "", cut(came));
    }
    list(&mut text, "error", expect::error(&report.outcome).map(show::error).into_iter());
    let dropped = report.lines.len().saturating_sub(FAILED_LINES_MAX);
    let title = if dropped == 0 { "log".into() } else { format!("log, the last {FAILED_LINES_MAX} lines") };
    list(&mut text, &title, report.lines.iter().skip(dropped).map(line));
    list(&mut text, "HTTP requests", report.requests.iter().map(request));
    list(&mut text, "notes", ended.tried.notes.iter().cloned());
    text
}
