use crate::cli::table::{age, pairs, printable, rows, short};
use crate::cli::{Exit, view};
use bytesize::ByteSize;
use flowmonkey_jobs::clock;
use flowmonkey_jobs::store::{
    AuditRow, HandlerRow, RunnerRow, RunnerVersion, SharedStore, VersionRole, VersionRow,
};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// A runner that was silent for longer does not count as there.
const RUNNER_ALIVE: Duration = Duration::from_secs(60);
/// So many changes are shown.
const TRAIL_MAX: u32 = 20;
const DIGEST_CHARS: usize = 12;

pub(super) async fn list(store: &SharedStore, json: bool) -> anyhow::Result<Exit> {
    let (handlers, runners) = (store.handler_rows().await?, store.runners(RUNNER_ALIVE).await?);
    if json {
        let each = |row: &HandlerRow| handler_json(row, &running(&runners, &row.name));
        view::print(&handlers.iter().map(each).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if handlers.is_empty() {
        say!("No handlers in the database; `flowmonkey handlers push` puts one there.");
        return Ok(Exit::Done);
    }
    let now = clock::unix_millis() as i64;
    let line = |row: &HandlerRow| {
        let running = running(&runners, &row.name);
        let active = row.active.as_ref().map_or("-", String::as_str).to_owned();
        let on = running.iter().filter(|(_, one)| Some(&one.version) == row.active.as_ref());
        let on = on.filter(|(_, one)| one.role == VersionRole::Active).count();
        let refused = running.iter().filter(|(_, one)| one.role == VersionRole::Refused).count();
        let canary = row.canary.as_ref().map(|(version, percent)| format!("{version} at {percent} %"));
        let mut note = if row.paused { "paused".to_owned() } else { String::new() };
        if refused > 0 {
            let _ = write!(note, "{}refused by {refused}", if note.is_empty() { "" } else { ", " });
        }
        let changed = format!("{} ago by {}", age(now - row.updated_at), row.updated_by);
        [row.name.clone(), active, canary.unwrap_or_default(), on.to_string(), changed, note]
    };
    say!(
        "{}",
        rows(["HANDLER", "ACTIVE", "CANARY", "RUNNERS", "CHANGED", "NOTE"], handlers.iter().map(line))
    );
    Ok(Exit::Done)
}

pub(super) async fn show(store: &SharedStore, name: &str, json: bool) -> anyhow::Result<Exit> {
    let Some(handler) = &store.handler_row(name).await? else {
        remark!("flowmonkey: there is no handler {:?} in the database", printable(name));
        return Ok(Exit::NotFound);
    };
    let versions = store.versions(name).await?;
    let runners = store.runners(RUNNER_ALIVE).await?;
    let running = running(&runners, name);
    let trail = store.audit(Some(name), TRAIL_MAX).await?;
    if json {
        let mut shown = handler_json(handler, &running);
        shown["versions"] = versions.iter().map(version_json).collect();
        shown["trail"] = trail.iter().map(trail_json).collect();
        view::print(&shown)?;
    } else {
        say!("{}", text(handler, &versions, &running, &trail, clock::unix_millis() as i64));
    }
    Ok(Exit::Done)
}

type Running<'a> = Vec<(&'a str, &'a RunnerVersion)>;

/// What the live runners have of a handler.
fn running<'a>(runners: &'a [RunnerRow], name: &str) -> Running<'a> {
    let of = |runner: &'a RunnerRow| runner.versions.iter().map(move |version| (runner.id.as_str(), version));
    let mut found: Running<'_> = runners.iter().flat_map(of).collect();
    found.retain(|(_, version)| version.handler == name);
    found
}

fn text(
    handler: &HandlerRow,
    versions: &[VersionRow],
    running: &Running<'_>,
    trail: &[AuditRow],
    now: i64,
) -> String {
    let ago = |at: i64| format!("{} ago", age(now - at));
    let active = handler.active.as_ref().map_or("none", String::as_str).to_owned();
    let mut facts = vec![("handler", handler.name.clone()), ("active version", active)];
    if let Some((version, percent)) = &handler.canary {
        facts.push(("canary", format!("{version} for {percent} % of the jobs")));
    }
    let said = versions.first().and_then(|version| described(version, "description"));
    facts.extend(said.map(|said| ("description", said)));
    if handler.paused {
        facts.push(("paused", "its jobs stay pending until `flowmonkey handlers resume`".into()));
    }
    facts.push(("changed", format!("{} by {}", ago(handler.updated_at), handler.updated_by)));
    let line = |row: &VersionRow| {
        let size = ByteSize(row.component_bytes.max(0) as u64).display().iec().to_string();
        let digest: String = row.digest.chars().take(DIGEST_CHARS).collect();
        let pushed = format!("{} by {}", ago(row.pushed_at), row.pushed_by);
        let active = row.activated_at.map(ago).unwrap_or_else(|| "never".into());
        let from = row.source.as_deref().map(|source| short(source, 60)).unwrap_or_default();
        [row.version.clone(), digest, size, pushed, active, from]
    };
    let mut text = pairs(&facts);
    let header = ["VERSION", "DIGEST", "SIZE", "PUSHED", "ACTIVATED", "FROM"];
    let _ = write!(text, "\n\n{}", rows(header, versions.iter().map(line)));
    let line = |(runner, version): &(&str, &RunnerVersion)| {
        let role = match version.role {
            VersionRole::Active => "active",
            VersionRole::Canary => "canary",
            VersionRole::Refused => "refused",
        };
        let error = version.error.as_deref().map(|error| short(error, 100)).unwrap_or_default();
        [(*runner).to_owned(), version.version.clone(), role.to_owned(), error]
    };
    if running.is_empty() {
        text.push_str("\n\nNo live runner has it.");
    } else {
        let _ =
            write!(text, "\n\n{}", rows(["RUNNER", "VERSION", "ROLE", "ERROR"], running.iter().map(line)));
    }
    let line = |row: &AuditRow| {
        let version = row.version.clone().unwrap_or_default();
        let detail = row.detail.as_deref().map(|detail| short(detail, 80)).unwrap_or_default();
        [ago(row.at), row.action.clone(), version, row.actor.clone(), detail]
    };
    let _ = write!(text, "\n\n{}", rows(["WHEN", "WHAT", "VERSION", "BY", "DETAIL"], trail.iter().map(line)));
    text
}

/// A text of what a version says of itself.
fn described(version: &VersionRow, field: &str) -> Option<String> {
    let metadata: Value = serde_json::from_str(version.metadata.as_ref()?.as_str()).ok()?;
    Some(short(metadata.get(field)?.as_str()?, 100))
}

fn handler_json(row: &HandlerRow, running: &Running<'_>) -> Value {
    let runner = |(runner, version): &(&str, &RunnerVersion)| json!({ "runner": runner, "version": version.version, "digest": version.digest, "role": version.role, "error": version.error });
    json!({
        "name": row.name,
        "active": row.active,
        "canary": row.canary.as_ref().map(|(version, _)| version),
        "canary_percent": row.canary.as_ref().map(|(_, percent)| percent),
        "paused": row.paused,
        "revision": row.revision,
        "updated_by": row.updated_by,
        "updated_at": row.updated_at,
        "runners": running.iter().map(runner).collect::<Vec<_>>(),
    })
}

fn version_json(row: &VersionRow) -> Value {
    let parsed = |text: &Option<flowmonkey_jobs::job::JsonText>| {
        text.as_ref().and_then(|text| serde_json::from_str::<Value>(text.as_str()).ok())
    };
    json!({
        "version": row.version,
        "number": row.number,
        "digest": row.digest,
        "component_bytes": row.component_bytes,
        "manifest": row.manifest,
        "metadata": parsed(&row.metadata),
        "schemas": parsed(&row.schemas),
        "signature": row.signature,
        "source": row.source,
        "pushed_by": row.pushed_by,
        "pushed_at": row.pushed_at,
        "activated_at": row.activated_at,
    })
}

fn trail_json(row: &AuditRow) -> Value {
    json!({
        "at": row.at,
        "action": row.action,
        "version": row.version,
        "actor": row.actor,
        "detail": row.detail,
    })
}
