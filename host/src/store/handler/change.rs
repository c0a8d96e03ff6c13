//! How handlers are changed, step by step. Both engines walk the same steps, each in one transaction.

use super::rules::{self, Entry, Turn};
use super::{Activation, HandlerFault, HandlerRow, InUse, NewVersion, Pushed, VersionRow};
use crate::job::check_name;
use crate::store::StoreError;
use crate::store::create::ROUNDS_MAX;
use async_trait::async_trait;

/// How far the jobs are counted that need something.
const JOBS_COUNTED_MAX: u32 = 1000;

/// A handler whose row the transaction holds: nobody else changes it meanwhile.
#[derive(Debug, Clone)]
pub(in crate::store) struct Held {
    pub(in crate::store) row: HandlerRow,
    /// The highest number that a version of it ever had.
    pub(in crate::store) last_number: i64,
}

/// A transaction of either engine. What is dropped before [`Change::commit`] never happened.
///
/// Locks are taken in one order, the handler and then its components by their digests, so that changes wait
/// for each other in a line and not in a circle.
#[async_trait]
pub(in crate::store) trait Change: Send + Sized {
    /// Holds a handler's row.
    async fn hold(&mut self, handler: &str) -> Result<Option<Held>, StoreError>;
    /// Makes sure there is such a row.
    async fn create(&mut self, handler: &str, actor: &str) -> Result<(), StoreError>;
    /// Writes the row, with the next revision, and notes which version became the active one.
    async fn set(&mut self, held: &Held, activated: Option<&str>, actor: &str) -> Result<(), StoreError>;
    /// Deletes a version, or the handler with all of them, and those components that no version has any more.
    async fn delete(&mut self, handler: &str, version: Option<&str>) -> Result<(), StoreError>;
    /// One version.
    async fn version(&mut self, handler: &str, version: &str) -> Result<Option<VersionRow>, StoreError>;
    /// The newest version that is what is pushed again; see [`rules::is_same`].
    async fn same_version(&mut self, new: &NewVersion) -> Result<Option<String>, StoreError>;
    /// The version that was pushed last before this one, of those that were active.
    async fn older_version(&mut self, handler: &str, version: &str) -> Result<Option<String>, StoreError>;
    /// Stores a version, and its component if that is not there.
    async fn insert_version(
        &mut self,
        new: &NewVersion,
        version: &str,
        number: i64,
        actor: &str,
    ) -> Result<(), StoreError>;
    /// How many jobs that have not ended have this handler, or are pinned to this version of it.
    async fn count_jobs(&mut self, handler: &str, version: Option<&str>, max: u32)
    -> Result<u64, StoreError>;
    /// Writes to the audit trail.
    async fn audit(&mut self, handler: &str, entry: &Entry, actor: &str) -> Result<(), StoreError>;
    /// Makes it durable, and tells whoever listens.
    async fn commit(self) -> Result<(), StoreError>;
}

pub(in crate::store) async fn push(
    mut change: impl Change,
    new: &NewVersion,
    activation: Option<Activation>,
    actor: &str,
) -> Result<Pushed, HandlerFault> {
    let mut held = hold_or_create(&mut change, &new.handler, actor).await?;
    let pushed = match version_that_is_there(&mut change, new).await? {
        Some(version) => Pushed { version, is_new: false },
        None => Pushed { version: store_new(&mut change, new, &mut held, actor).await?, is_new: true },
    };
    let turn = activation.map(|activation| rules::activated(&held.row, &pushed.version, activation));
    match turn.transpose()?.flatten() {
        Some(turn) => turn_to(&mut change, held, turn, actor).await?,
        None if pushed.is_new => change.set(&held, None, actor).await?,
        None => return Ok(pushed),
    }
    change.commit().await?;
    Ok(pushed)
}

async fn version_that_is_there(
    change: &mut impl Change,
    new: &NewVersion,
) -> Result<Option<String>, HandlerFault> {
    let Some(version) = &new.version else { return Ok(change.same_version(new).await?) };
    match change.version(&new.handler, version).await? {
        Some(found) if !rules::is_same(&found, new) => Err(HandlerFault::VersionTaken {
            handler: found.handler,
            version: found.version,
            digest: found.digest,
        }),
        found => Ok(found.map(|found| found.version)),
    }
}

/// Returns what the version is called.
async fn store_new(
    change: &mut impl Change,
    new: &NewVersion,
    held: &mut Held,
    actor: &str,
) -> Result<String, HandlerFault> {
    held.last_number += 1;
    let version = match &new.version {
        Some(version) => version.clone(),
        None => {
            // One that somebody named like a number has it.
            while change.version(&new.handler, &held.last_number.to_string()).await?.is_some() {
                held.last_number += 1;
            }
            held.last_number.to_string()
        }
    };
    change.insert_version(new, &version, held.last_number, actor).await?;
    change.audit(&new.handler, &Entry::of("pushed", &version, Some(new.digest.clone())), actor).await?;
    Ok(version)
}

pub(in crate::store) async fn activate(
    mut change: impl Change,
    handler: &str,
    version: &str,
    activation: Activation,
    actor: &str,
) -> Result<(), HandlerFault> {
    let held = hold(&mut change, handler, actor).await?;
    find_version(&mut change, handler, version).await?;
    match rules::activated(&held.row, version, activation)? {
        Some(turn) => finish(change, held, turn, actor).await,
        None => Ok(()),
    }
}

pub(in crate::store) async fn roll_back(
    mut change: impl Change,
    handler: &str,
    actor: &str,
) -> Result<String, HandlerFault> {
    let held = hold(&mut change, handler, actor).await?;
    let older = match &held.row.active {
        Some(active) => change.older_version(handler, active).await?,
        None => None,
    };
    let turn = rules::rolled_back(&held.row, older.as_deref())?;
    named(change, held, turn, actor).await
}

pub(in crate::store) async fn promote(
    mut change: impl Change,
    handler: &str,
    actor: &str,
) -> Result<String, HandlerFault> {
    let held = hold(&mut change, handler, actor).await?;
    let turn = rules::promoted(&held.row)?;
    named(change, held, turn, actor).await
}

pub(in crate::store) async fn abort(
    mut change: impl Change,
    handler: &str,
    actor: &str,
) -> Result<String, HandlerFault> {
    let held = hold(&mut change, handler, actor).await?;
    let turn = rules::aborted(&held.row)?;
    named(change, held, turn, actor).await
}

pub(in crate::store) async fn set_paused(
    mut change: impl Change,
    handler: &str,
    paused: bool,
    actor: &str,
) -> Result<bool, HandlerFault> {
    let held = match hold(&mut change, handler, actor).await {
        Err(HandlerFault::UnknownHandler(_)) if paused => hold_or_create(&mut change, handler, actor).await?,
        Err(HandlerFault::UnknownHandler(_)) => return Ok(false),
        held => held?,
    };
    let Some(turn) = rules::paused(&held.row, paused) else { return Ok(false) };
    finish(change, held, turn, actor).await?;
    Ok(true)
}

pub(in crate::store) async fn remove_version(
    mut change: impl Change,
    handler: &str,
    version: &str,
    actor: &str,
) -> Result<(), HandlerFault> {
    let held = hold(&mut change, handler, actor).await?;
    let found = find_version(&mut change, handler, version).await?;
    let is_canary = held.row.canary.as_ref().is_some_and(|(canary, _)| canary == version);
    let why = if held.row.active.as_deref() == Some(version) {
        Some(InUse::Active)
    } else if is_canary {
        Some(InUse::Canary)
    } else {
        jobs_of(&mut change, handler, Some(version)).await?
    };
    if let Some(why) = why {
        return Err(HandlerFault::InUse { what: format!("version {version:?} of {handler:?}"), why });
    }
    change.delete(handler, Some(version)).await?;
    change.audit(handler, &Entry::of("removed", version, Some(found.digest)), actor).await?;
    change.set(&held, None, actor).await?;
    Ok(change.commit().await?)
}

pub(in crate::store) async fn remove_handler(
    mut change: impl Change,
    handler: &str,
    even_with_jobs: bool,
    actor: &str,
) -> Result<(), HandlerFault> {
    hold(&mut change, handler, actor).await?;
    if !even_with_jobs && let Some(why) = jobs_of(&mut change, handler, None).await? {
        return Err(HandlerFault::InUse { what: format!("the handler {handler:?}"), why });
    }
    change.delete(handler, None).await?;
    let entry = Entry { action: "removed", version: None, detail: None };
    change.audit(handler, &entry, actor).await?;
    Ok(change.commit().await?)
}

async fn hold(change: &mut impl Change, handler: &str, actor: &str) -> Result<Held, HandlerFault> {
    check_names(handler, actor)?;
    change.hold(handler).await?.ok_or_else(|| HandlerFault::UnknownHandler(handler.to_owned()))
}

async fn hold_or_create(change: &mut impl Change, handler: &str, actor: &str) -> Result<Held, HandlerFault> {
    check_names(handler, actor)?;
    for _ in 0..ROUNDS_MAX {
        if let Some(held) = change.hold(handler).await? {
            return Ok(held);
        }
        change.create(handler, actor).await?;
    }
    Err(StoreError::Unavailable(format!("the handler {handler:?} is removed again and again")).into())
}

fn check_names(handler: &str, actor: &str) -> Result<(), StoreError> {
    check_name("handler", handler)?;
    Ok(check_name("name of who does it", actor)?)
}

async fn find_version(
    change: &mut impl Change,
    handler: &str,
    version: &str,
) -> Result<VersionRow, HandlerFault> {
    check_name("version", version).map_err(StoreError::from)?;
    let unknown =
        || HandlerFault::UnknownVersion { handler: handler.to_owned(), version: version.to_owned() };
    change.version(handler, version).await?.ok_or_else(unknown)
}

async fn jobs_of(
    change: &mut impl Change,
    handler: &str,
    version: Option<&str>,
) -> Result<Option<InUse>, StoreError> {
    let jobs = change.count_jobs(handler, version, JOBS_COUNTED_MAX).await?;
    Ok((jobs > 0).then_some(InUse::Jobs(jobs)))
}

async fn turn_to(change: &mut impl Change, held: Held, turn: Turn, actor: &str) -> Result<(), StoreError> {
    change.audit(&turn.row.name, &turn.entry, actor).await?;
    change.set(&Held { row: turn.row, ..held }, turn.activated.as_deref(), actor).await
}

async fn finish(mut change: impl Change, held: Held, turn: Turn, actor: &str) -> Result<(), HandlerFault> {
    turn_to(&mut change, held, turn, actor).await?;
    Ok(change.commit().await?)
}

/// Returns the version that the turn is about.
async fn named(change: impl Change, held: Held, turn: Turn, actor: &str) -> Result<String, HandlerFault> {
    let version = turn.entry.version.clone().unwrap_or_default();
    finish(change, held, turn, actor).await?;
    Ok(version)
}
