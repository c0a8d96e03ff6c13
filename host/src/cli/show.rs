use super::table;
use bytesize::ByteSize;
use flowmonkey_jobs::job::{HistoryEntry, Job, JobError, JsonText, Status};
use flowmonkey_jobs::store::{SharedStore, StoreError};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// A runner that was silent for longer does not count as there.
const RUNNER_ALIVE: Duration = Duration::from_secs(60);
const PAYLOAD_CHARS_MAX: usize = 2000;

/// Why nothing happens to a pending job: its handler is paused, or no live runner has it.
pub(super) async fn note(store: &SharedStore, job: &Job) -> Result<Option<String>, StoreError> {
    if job.status != Status::Pending {
        return Ok(None);
    }
    if store.handler_row(&job.handler).await?.is_some_and(|row| row.paused) {
        let handler = &job.handler;
        return Ok(Some(format!(
            "the handler `{handler}` is paused; the job waits for `flowmonkey handlers resume {handler}`"
        )));
    }
    let runners = store.runners(RUNNER_ALIVE).await?;
    if runners.iter().any(|runner| runner.handlers.contains(&job.handler)) {
        return Ok(None);
    }
    let handler = &job.handler;
    let versions = runners.iter().flat_map(|runner| &runner.versions);
    let refused = versions
        .filter(|one| one.handler == *handler)
        .find_map(|one| Some((&one.version, one.error.as_ref()?)));
    if let Some((version, error)) = refused {
        return Ok(Some(format!("version {version} of the handler `{handler}` cannot be loaded: {error}")));
    }
    Ok(Some(if runners.is_empty() {
        format!("no runner is alive, so no runner has the handler `{handler}`; the job waits for one")
    } else {
        let known = runners.iter().flat_map(|runner| runner.handlers.iter().map(String::as_str));
        let mut known: Vec<&str> = known.collect();
        known.sort_unstable();
        known.dedup();
        format!(
            "no runner has the handler `{handler}`; the job waits for one. There is: {}",
            known.join(", ")
        )
    }))
}

/// A job for people: what it is, how it went, what it said.
pub(super) fn describe(job: &Job, note: Option<&str>, now_ms: i64) -> String {
    let ago = |at: i64| format!("{} ago", table::age(now_ms - at));
    let mut pairs = vec![
        ("job", job.id.clone()),
        ("handler", job.handler.clone()),
        ("status", job.status.to_string()),
        ("attempts", format!("{} of {}", job.attempts, job.max_attempts)),
        ("priority", job.priority.to_string()),
        ("created", ago(job.created_at)),
        ("changed", ago(job.updated_at)),
    ];
    if job.status == Status::Pending {
        let due = match job.run_at {
            None => "when it is resumed".into(),
            Some(at) if at > now_ms => format!("in {}", table::age(at - now_ms)),
            Some(at) => format!("since {}", table::age(now_ms - at)),
        };
        pairs.push(("due", due));
    }
    let waiting = job.waiting.as_ref().map(|waiting| {
        let signal = waiting.signal.as_ref().map(|signal| format!("signal `{signal}` "));
        format!("{}{}", signal.unwrap_or_default(), waiting.reason.as_deref().unwrap_or_default())
    });
    let optional = [
        ("waiting for", waiting),
        ("note", note.map(str::to_owned)),
        ("waits", (job.waits > 0).then(|| job.waits.to_string())),
        ("resumed with", job.resumed_with.as_ref().map(payload)),
        ("unique key", job.unique_key.clone()),
        ("pinned to version", job.pinned_version.clone()),
        ("schedule", job.schedule.clone()),
        ("execution", job.execution_id.clone()),
        ("step", job.step_id.clone()),
        ("runner", job.runner_id.clone()),
        ("progress", job.progress.as_ref().map(table::progress)),
        ("input", Some(payload(&job.input))),
        ("checkpoint", job.checkpoint.as_ref().map(payload)),
        ("result", job.result.as_ref().map(payload)),
        ("error", job.error.as_ref().map(error)),
    ];
    pairs.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let mut text = table::pairs(&pairs);
    if !job.history.is_empty() {
        text.push_str("\n\n attempts, oldest first");
        for entry in &job.history {
            let _ = write!(text, "\n{}", history_line(entry, now_ms));
        }
    }
    text
}

fn history_line(entry: &HistoryEntry, now_ms: i64) -> String {
    let usage = entry.usage.as_ref().map(|usage| {
        format!("  {} fuel, {}, {}", table::fuel(usage), table::memory(usage), table::wall(usage))
    });
    let ran = entry.ran.as_ref().map(|ran| {
        let digest: String = ran.digest.chars().take(12).collect();
        let version = table::short(&ran.version, 40);
        if ran.digest.starts_with(&ran.version) {
            format!("  {digest}")
        } else {
            format!("  version {version} ({digest})")
        }
    });
    let error = entry.error.as_ref().map(|error| format!("  {}", table::short(&error.to_string(), 100)));
    format!(
        "   {:>3}  {:<10}{} ago{}{}{}",
        entry.attempt,
        table::printable(&entry.outcome),
        table::age(now_ms - entry.at),
        ran.unwrap_or_default(),
        usage.unwrap_or_default(),
        error.unwrap_or_default(),
    )
}

/// The whole error: message, details, and the frames of the guest. What details have as `stack`, a text as languages
/// write them, keeps its lines.
pub(super) fn error(error: &JobError) -> String {
    let mut text = error.to_string();
    let (details, stack) = error.details.as_ref().map_or((None, None), apart);
    if let Some(details) = details {
        let _ = write!(text, "\ndetails: {details}");
    }
    for line in stack.iter().flat_map(|stack| stack.trim_end().lines()) {
        let _ = write!(text, "\n  {line}");
    }
    for frame in &error.backtrace {
        let _ = write!(text, "\n  in {frame}");
    }
    text
}

/// Details without their stack, if there is more, and the stack.
fn apart(details: &JsonText) -> (Option<String>, Option<String>) {
    let parsed: Result<BTreeMap<String, JsonText>, _> = serde_json::from_str(details.as_str());
    let Ok(mut fields) = parsed else { return (Some(payload(details)), None) };
    let stack = fields.get("stack").and_then(|stack| serde_json::from_str(stack.as_str()).ok());
    if stack.is_none() {
        return (Some(payload(details)), None);
    }
    fields.remove("stack");
    let rest = serde_json::to_string(&fields).ok().filter(|_| !fields.is_empty());
    (rest, stack)
}

pub(super) fn payload(json: &JsonText) -> String {
    let text = json.as_str();
    if text.chars().count() <= PAYLOAD_CHARS_MAX {
        return text.to_owned();
    }
    let start: String = text.chars().take(PAYLOAD_CHARS_MAX).collect();
    format!("{start}… ({} in all; --json shows everything)", ByteSize(text.len() as u64).display().iec())
}
