//! Every event this crate emits, in one place: what others filter and count by must not drift.
//!
//! Targets: `flowmonkey::attempt`, `flowmonkey::runner`, `flowmonkey::reaper`, `flowmonkey::scheduler`, and
//! `flowmonkey::guest` for the lines that handlers write. [`Events`] tells programs the same of jobs.

mod event;

pub use event::{Event, EventKind, Events};

use std::fmt::Display;
use std::time::Duration;
use tracing::{debug, error, info, warn};

const ATTEMPT: &str = "flowmonkey::attempt";
const RUNNER: &str = "flowmonkey::runner";
const GUEST: &str = "flowmonkey::guest";
const CATALOG: &str = "flowmonkey::catalog";
const REAPER: &str = "flowmonkey::reaper";
const SCHEDULER: &str = "flowmonkey::scheduler";

/// A runner has begun to claim.
pub(crate) fn runner_started(runner_id: &str, handlers: &[String]) {
    info!(target: RUNNER, runner_id, handlers = handlers.join(","), "runner started");
}

/// A runner claims no more; its attempts go on.
pub(crate) fn runner_draining(runner_id: &str, active: usize) {
    info!(target: RUNNER, runner_id, active, "runner draining");
}

/// A runner has ended; `abandoned` attempts are left to the reaper.
pub(crate) fn runner_stopped(runner_id: &str, abandoned: usize) {
    if abandoned == 0 {
        info!(target: RUNNER, runner_id, "runner stopped");
    } else {
        warn!(target: RUNNER, runner_id, abandoned, "runner stopped without recording every attempt");
    }
}

/// The first failure of a store call after successes; the call is repeated.
pub(crate) fn store_failing(runner_id: &str, call: &'static str, why: &dyn Display) {
    warn!(target: RUNNER, runner_id, call, %why, "store call fails; trying again until it works");
}

/// The first success of a store call after failures.
pub(crate) fn store_back(runner_id: &str, call: &'static str) {
    info!(target: RUNNER, runner_id, call, "database is back");
}

/// Notices do not come any more.
pub(crate) fn listener_lost(runner_id: &str, poll_interval: Duration) {
    warn!(
        target: RUNNER, runner_id, ?poll_interval,
        "notifications do not arrive; polling, and listening again later (behind a transaction pooler use poll-only)"
    );
}

/// Which attempt an event is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttemptName<'a> {
    pub(crate) job_id: &'a str,
    pub(crate) handler: &'a str,
    pub(crate) attempt: u32,
}

/// How an attempt ended and what it cost.
pub(crate) struct AttemptEnd<'a> {
    pub(crate) outcome: &'static str,
    pub(crate) error: Option<&'a dyn Display>,
    pub(crate) fuel: Option<u64>,
    pub(crate) memory_bytes: u64,
    pub(crate) wall_us: u64,
}

/// An attempt begins.
pub(crate) fn attempt_started(name: AttemptName<'_>) {
    let AttemptName { job_id, handler, attempt } = name;
    debug!(target: ATTEMPT, job_id, handler, attempt, "attempt started");
}

/// An attempt has ended; the outcome is not recorded yet.
pub(crate) fn attempt_finished(name: AttemptName<'_>, end: &AttemptEnd<'_>) {
    let AttemptName { job_id, handler, attempt } = name;
    let AttemptEnd { outcome, fuel, memory_bytes, wall_us, .. } = *end;
    let error = end.error.map(tracing::field::display);
    info!(
        target: ATTEMPT, job_id, handler, attempt, outcome, fuel, memory_bytes, wall_us, error,
        "attempt finished"
    );
}

/// An outcome was dropped, since the job belongs to another attempt by now.
pub(crate) fn superseded(name: AttemptName<'_>) {
    let AttemptName { job_id, handler, attempt } = name;
    warn!(target: ATTEMPT, job_id, handler, attempt, "lease lost; outcome dropped");
}

/// The database refused an outcome, and the job failed with that as its reason.
pub(crate) fn outcome_refused(name: AttemptName<'_>, why: &dyn Display) {
    let AttemptName { job_id, handler, attempt } = name;
    error!(target: ATTEMPT, job_id, handler, attempt, %why, "the database refused an outcome; job failed");
}

/// The database refuses an outcome for good.
pub(crate) fn unrecordable(name: AttemptName<'_>, why: &dyn Display) {
    let AttemptName { job_id, handler, attempt } = name;
    error!(target: ATTEMPT, job_id, handler, attempt, %why, "outcome cannot be recorded; left to the reaper");
}

/// A line that a handler wrote. Its own fields come as one, since names must be known beforehand.
pub(crate) fn guest_line(name: AttemptName<'_>, level: &str, message: &str, fields: &[(String, String)]) {
    let AttemptName { job_id, handler, attempt } = name;
    let fields: String = fields.iter().map(|(name, value)| format!("{name}={value:?} ")).collect();
    let fields = fields.trim_end();
    match level {
        "error" => error!(target: GUEST, job_id, handler, attempt, fields, "{message}"),
        "warn" => warn!(target: GUEST, job_id, handler, attempt, fields, "{message}"),
        "info" => info!(target: GUEST, job_id, handler, attempt, fields, "{message}"),
        _ => debug!(target: GUEST, job_id, handler, attempt, level, fields, "{message}"),
    }
}

/// A runner fell silent and its job was taken; `status` is what the job became.
pub(crate) fn reaped(job_id: &str, handler: &str, runner_id: Option<&str>, status: &'static str) {
    warn!(target: REAPER, job_id, handler, runner_id, status, "stalled job taken");
}

/// The reaper could not look; it looks again after its interval.
pub(crate) fn reaper_failing(why: &dyn Display) {
    warn!(target: REAPER, %why, "reaper cannot look");
}

/// Finished jobs were deleted, since they are older than they are kept.
pub(crate) fn purged(jobs: u64) {
    info!(target: REAPER, jobs, "old jobs deleted");
}

/// Idempotency keys were deleted, since their time is over.
pub(crate) fn forgotten(keys: u64) {
    info!(target: REAPER, keys, "expired idempotency keys deleted");
}

/// A schedule's slots created jobs.
pub(crate) fn fired(schedule: &str, jobs: usize, dropped: usize) {
    info!(target: SCHEDULER, schedule, jobs, dropped, "schedule fired");
}

/// A schedule cannot fire, and is paused if that is its own fault; the others do.
pub(crate) fn schedule_failing(schedule: &str, why: &dyn Display) {
    error!(target: SCHEDULER, schedule, %why, "schedule cannot fire; if its expression or zone is wrong, it is paused");
}

/// The scheduler could not look; it looks again after its interval.
pub(crate) fn scheduler_failing(why: &dyn Display) {
    warn!(target: SCHEDULER, %why, "scheduler cannot look");
}

/// A name means another version from now on.
pub(crate) fn handler_swapped(handler: &str, version: &str, canary: Option<&str>) {
    info!(target: CATALOG, handler, version, canary, "handler swapped in");
}

/// A folder's handler is new or has changed.
pub(crate) fn handler_loaded(handler: &str) {
    info!(target: CATALOG, handler, "handler swapped in");
}

/// A handler's source is new or has changed.
pub fn handler_building(handler: &str, language: &str) {
    info!(target: CATALOG, handler, language, "building");
}

/// A handler was built from its source, as it changed.
pub fn handler_built(handler: &str, language: &str, ms: u128) {
    info!(target: CATALOG, handler, language, ms, "handler built");
}

/// A handler's source cannot be built; what it was before goes on.
pub fn handler_not_built(folder: &dyn Display, why: &dyn Display) {
    error!(target: CATALOG, %folder, %why, "handler not built; what it was before goes on");
}

/// A file of a folder is no handler; what it was before goes on.
pub(crate) fn handler_refused(code: &str, why: &dyn Display) {
    error!(target: CATALOG, code, %why, "handler refused");
}

/// A handler was removed from the database or its folder.
pub(crate) fn handler_removed(handler: &str) {
    info!(target: CATALOG, handler, "handler removed");
}

/// A version that should be active cannot be loaded; what was there before goes on.
pub(crate) fn version_refused(handler: &str, version: &str, code: &str, why: &dyn Display, after: Duration) {
    error!(target: CATALOG, handler, version, code, %why, again_in = ?after, "version refused; what was there before goes on");
}

/// A handler asks for what the operator does not allow.
pub(crate) fn asked_in_vain(handler: &str, grants: &str) {
    let remedy = "such calls are denied; [allow] and [handlers.NAME] in the settings file would allow them";
    warn!(target: CATALOG, handler, grants, remedy, "asked in vain");
}

/// What the database wanted at the start was tried.
pub(crate) fn handlers_ready(runner_id: &str, handlers: usize, refused: usize, after: Duration) {
    info!(target: CATALOG, runner_id, handlers, refused, ?after, "handlers ready");
}
