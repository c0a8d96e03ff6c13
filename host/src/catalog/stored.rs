//! Handlers of the database: a whole fleet runs the same versions, and swaps them without losing a job.

mod loading;
mod refusal;

pub use refusal::VersionFault;

use super::{Catalog, Handler, Origin, Policy, Slot};
use crate::job::ErrorCode;
use crate::store::{HandlerRow, RunnerVersion, SharedStore, StoreError, VersionRole, VersionTag};
use crate::telemetry;
use refusal::{Refusal, Refusals, Why};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Versions that are loaded at once. Compiling has its own queue; this bounds the bytes that wait for it.
const LOADS_AT_ONCE: usize = 4;
/// Pinned versions that stay loaded after their last attempt, over all handlers.
const PINNED_KEPT: usize = 16;

/// Brings the versions that are active in the database into a catalog, and keeps them there.
///
/// A version is compiled before it is swapped in; until then, and if it cannot be loaded at all, the one before it
/// serves. Cheap to share; a runner calls [`refresh`](StoredHandlers::refresh) when the database has news.
pub struct StoredHandlers {
    catalog: Arc<Catalog>,
    store: SharedStore,
    policy: Policy,
    state: Mutex<State>,
    places: Semaphore,
    /// Told of every swap and every refusal.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// What the last look found.
    wanted: BTreeMap<String, Wanted>,
    /// How often each handler had changed by then.
    revisions: BTreeMap<String, i64>,
    /// Handlers whose versions are being loaded.
    loading: BTreeSet<String>,
    refusals: Refusals,
    /// Loaded for jobs that name them, the last used first.
    pinned: VecDeque<Arc<Handler>>,
}

/// What a handler should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    active: VersionTag,
    canary: Option<(VersionTag, u8)>,
}

impl Wanted {
    fn of(row: HandlerRow) -> Option<(String, Self)> {
        Some((row.name.clone(), Wanted { active: row.active_tag()?, canary: row.canary_tag() }))
    }

    fn tags(&self) -> impl Iterator<Item = &VersionTag> {
        std::iter::once(&self.active).chain(self.canary.iter().map(|(tag, _)| tag))
    }

    fn names(&self, tag: &VersionTag) -> bool {
        self.tags().any(|one| one == tag)
    }

    fn is_met_by(&self, slot: &Slot) -> bool {
        let canary = slot.canary.as_ref().map(|(handler, percent)| (handler.tag(), *percent));
        slot.active.tag() == self.active && canary == self.canary
    }

    /// Whether the slot is not yet what it should be, and something can be done about it now.
    fn asks_for_work(&self, name: &str, slot: Option<&Slot>, refusals: &Refusals, now: Instant) -> bool {
        if slot.is_some_and(|slot| self.is_met_by(slot)) {
            return false;
        }
        let has = |tag: &VersionTag| slot.is_some_and(|slot| slot.handlers().any(|one| one.tag() == *tag));
        let mut missing = self.tags().filter(|tag| !has(tag)).peekable();
        missing.peek().is_none() || missing.any(|tag| refusals.standing(name, tag, now).is_none())
    }
}

impl StoredHandlers {
    /// Nothing is loaded yet. Handlers get what this policy allows.
    pub fn new(catalog: Arc<Catalog>, store: SharedStore, policy: Policy) -> Arc<Self> {
        Arc::new(StoredHandlers {
            catalog,
            store,
            policy,
            state: Mutex::default(),
            places: Semaphore::new(LOADS_AT_ONCE),
            changed: Notify::new(),
        })
    }

    /// Looks which versions should be active, takes out what was removed, and begins to load what is new. The set ends
    /// when all that has been tried; whoever drops it stops the loading.
    ///
    /// # Errors
    /// When the database cannot be asked; what is loaded stays.
    pub async fn refresh(self: &Arc<Self>) -> Result<JoinSet<()>, StoreError> {
        let rows = self.store.handler_rows().await?;
        let revisions: BTreeMap<String, i64> =
            rows.iter().map(|row| (row.name.clone(), row.revision)).collect();
        let wanted: BTreeMap<String, Wanted> = rows.into_iter().filter_map(Wanted::of).collect();
        let mut loads = JoinSet::new();
        let mut guard = self.state();
        let state = &mut *guard;
        for gone in state.wanted.keys().filter(|name| !wanted.contains_key(*name)) {
            self.catalog.take_out(gone, Origin::Stored);
            telemetry::handler_removed(gone);
        }
        state.wanted = wanted;
        state.pinned.retain(|one| revisions.get(&one.name) == state.revisions.get(&one.name));
        state.revisions = revisions;
        let now = Instant::now();
        let State { wanted, loading, refusals, .. } = state;
        refusals.retain(now, |name, tag| wanted.get(name).is_some_and(|wanted| wanted.names(tag)));
        for (name, wanted) in wanted {
            let slot = self.catalog.slot(name);
            let is_theirs = slot.as_ref().is_some_and(Slot::is_given);
            if !is_theirs
                && wanted.asks_for_work(name, slot.as_ref(), refusals, now)
                && loading.insert(name.clone())
            {
                loads.spawn(self.clone().bring_in(name.clone()));
            }
        }
        Ok(loads)
    }

    /// When something that could not be loaded is worth another try.
    pub fn next_try(&self) -> Option<Instant> {
        let state = self.state();
        let tries = state.refused().map(|(.., refusal)| refusal.retry_at);
        tries.min()
    }

    /// Returns after the next swap or refusal.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Which versions this process has, and which it cannot load.
    pub fn versions(&self) -> Vec<RunnerVersion> {
        let mut versions = self.catalog.versions();
        versions.extend(self.refused());
        versions
    }

    /// The versions that should be active and cannot be loaded; while there are any, this process is degraded.
    pub fn refused(&self) -> Vec<RunnerVersion> {
        let state = self.state();
        let refused = state.refused().map(|(handler, tag, refusal)| RunnerVersion {
            handler: handler.to_owned(),
            version: tag.version.clone(),
            digest: refusal.digest.clone(),
            role: VersionRole::Refused,
            error: Some(refusal.error.clone()),
        });
        refused.collect()
    }

    /// A version that a job names, loaded if need be.
    ///
    /// # Errors
    /// Why it is not to be had, and when it is worth asking again.
    pub async fn pinned(
        self: &Arc<Self>,
        handler: &str,
        version: &str,
    ) -> Result<Arc<Handler>, VersionFault> {
        if let Some(found) = self.loaded(handler, version) {
            return Ok(found);
        }
        let fault = |why: String, after| {
            Err(VersionFault { handler: handler.into(), version: version.into(), why, after })
        };
        let row = match self.store.version(handler, version).await {
            Ok(Some(row)) => row,
            Ok(None) => return fault("there is no such version in the database".into(), PIN_PAUSE),
            Err(error) => return fault(error.to_string(), Duration::from_secs(1)),
        };
        if let Some((why, after)) = self.state().refusals.standing(handler, &row.tag(), Instant::now()) {
            return fault(why, after);
        }
        match self.load(&row).await {
            Ok(loaded) => {
                // Of several jobs that name it at once, the first one's stays.
                if let Some(found) = self.loaded(handler, version) {
                    return Ok(found);
                }
                let mut state = self.state();
                state.pinned.push_front(loaded.clone());
                state.pinned.truncate(PINNED_KEPT);
                Ok(loaded)
            }
            Err(why) => {
                let after = self.refuse(handler, &row.tag(), &row.digest, &why);
                fault(why, after)
            }
        }
    }

    /// Among what is active, a canary, or was named by a job before.
    fn loaded(&self, handler: &str, version: &str) -> Option<Arc<Handler>> {
        if let Some(found) = self.catalog.version(handler, version) {
            return Some(found);
        }
        let mut state = self.state();
        let place = state.pinned.iter().position(|one| one.name == handler && one.version == version)?;
        let found = state.pinned.remove(place)?;
        state.pinned.push_front(found.clone());
        Some(found)
    }

    fn refuse(&self, handler: &str, tag: &VersionTag, digest: &str, why: &str) -> Duration {
        let code = ErrorCode::HandlerLoadFailed.as_str();
        let error = &format!("{code}: {why}");
        let after = self.state().refusals.add(handler, tag, Why { digest, error }, Instant::now());
        telemetry::version_refused(handler, &tag.version, code, &why, after);
        after
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that names a version which is not there may have been quicker than its push.
const PIN_PAUSE: Duration = Duration::from_secs(5);

impl State {
    /// What is wanted and was refused.
    fn refused(&self) -> impl Iterator<Item = (&str, &VersionTag, &Refusal)> {
        let wanted = self.wanted.iter().flat_map(|(name, wanted)| wanted.tags().map(move |tag| (name, tag)));
        wanted.filter_map(|(name, tag)| Some((name.as_str(), tag, self.refusals.get(name, tag)?)))
    }
}
