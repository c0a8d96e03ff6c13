//! Which code a handler name means now.

mod candidate;
mod fit;
mod folder;
mod input;
mod limits;
mod manifest;
mod metadata;
mod oci;
mod policy;
mod schemas;
mod signature;
mod stored;
mod suggestion;

pub use candidate::{Candidate, Parts};
pub use folder::{DeniedGrants, FileError, FileProblem, Folder, FolderReport};
pub use input::{InputChecks, InputFault};
pub use limits::{WrittenLimits, above_ceiling};
pub use manifest::{
    HandlerFiles, Manifest, SCHEMA_BYTES_MAX, WrittenSchemas, component_file, manifest_schema,
};
pub use metadata::Metadata;
pub use oci::{
    Artifact, InvalidOciConfig, InvalidReference, OciConfig, OciError, OciProblem, OciReference, OciRegistry,
};
pub use policy::{HandlerPolicy, Policy, WrittenHandlerPolicy, WrittenPolicy};
pub use schemas::{Schemas, Violation};
pub use signature::{SignError, SignatureError, TrustedKeys, WrittenSignatures, sign};
pub use stored::{StoredHandlers, VersionFault};
pub use suggestion::with_suggestion;

use crate::job::{Ran, RetryPolicy, WAITS_MAX_DEFAULT};
use crate::sandbox::{ConfigValues, Grants, Limits, LoadError, Prepared, Sandbox};
use crate::store::{RunnerVersion, VersionRole, VersionTag};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// What a handler may use and how it is retried.
#[derive(Debug, Clone)]
pub struct HandlerSettings {
    /// Bounds of each attempt.
    pub limits: Limits,
    /// Backoff between attempts.
    pub retry: RetryPolicy,
    /// How many of its attempts a runner runs at once; `None` is as many as there are places.
    pub concurrency: Option<NonZeroU32>,
    /// How many of its attempts all runners together run at once; `None` is as many as they can.
    pub fleet_concurrency: Option<NonZeroU32>,
    /// How often one job may wait.
    pub waits_max: u32,
    /// Whether its results must fit the output's schema.
    pub validate_output: bool,
    /// What it may reach.
    pub grants: Grants,
    /// What the operator has set for it; it reads the keys that its grants name.
    pub config: Arc<ConfigValues>,
}

impl Default for HandlerSettings {
    fn default() -> Self {
        HandlerSettings {
            limits: Limits::default(),
            retry: RetryPolicy::default(),
            concurrency: None,
            fleet_concurrency: None,
            waits_max: WAITS_MAX_DEFAULT,
            validate_output: false,
            grants: Grants::default(),
            config: Arc::default(),
        }
    }
}

/// A version of a handler that is ready to run: code and settings that belong together.
#[derive(Debug)]
pub struct Handler {
    /// Its name.
    pub name: String,
    /// What the version is called; where nobody named it, the first digits of the digest.
    pub version: String,
    /// SHA-256 of the component, 64 hexadecimal digits in lower case.
    pub digest: String,
    /// Its code, compiled and linked.
    pub prepared: Prepared,
    /// What it may use.
    pub settings: HandlerSettings,
    /// What its input, its result and its configuration must be.
    pub schemas: Schemas,
    /// When it was pushed to the database, in milliseconds since 1970; 0 when it is not from there.
    pushed_at: i64,
}

impl Handler {
    fn new(
        name: &str,
        version: Option<&str>,
        bytes: &[u8],
        prepared: Prepared,
        settings: HandlerSettings,
    ) -> Self {
        let digest = digest(bytes);
        let version = version.map_or_else(|| digest[..12].to_owned(), str::to_owned);
        Handler {
            name: name.to_owned(),
            version,
            digest,
            prepared,
            settings,
            schemas: Schemas::default(),
            pushed_at: 0,
        }
    }

    /// Which version it is, also when one of the same name was removed and pushed anew.
    fn tag(&self) -> VersionTag {
        VersionTag { version: self.version.clone(), pushed_at: self.pushed_at }
    }

    /// What is recorded of an attempt that ran it.
    pub fn ran(&self) -> Ran {
        Ran { version: self.version.clone(), digest: self.digest.clone() }
    }
}

/// The handlers of one process. Attempts keep the handler they began with; a replacement serves those
/// that begin later, and what was replaced is freed with its last attempt's outcome.
pub struct Catalog {
    sandbox: Arc<Sandbox>,
    slots: RwLock<BTreeMap<String, Slot>>,
}

/// What a name means now.
#[derive(Debug, Clone)]
struct Slot {
    active: Arc<Handler>,
    /// What so many percent of the jobs run instead.
    canary: Option<(Arc<Handler>, u8)>,
    origin: Origin,
}

/// Who put a handler into the catalog, and may take it out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// This process: a folder, or the program that embeds the library.
    Given,
    /// The database. What is given wins over it.
    Stored,
}

impl Catalog {
    /// An empty catalog whose handlers will run in this sandbox.
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        Catalog { sandbox, slots: RwLock::default() }
    }

    /// Where its handlers run.
    pub fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }

    /// Compiles a component and gives it a name, replacing what had it. Blocks for as long as the
    /// compiler takes.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the bytes; what had the name before stays.
    pub fn load(&self, name: &str, bytes: &[u8], settings: HandlerSettings) -> Result<(), LoadError> {
        let prepared = self.sandbox.prepare(bytes, &settings.limits)?;
        let handler = Handler::new(name, None, bytes, prepared, settings);
        self.place(Slot { active: Arc::new(handler), canary: None, origin: Origin::Given });
        Ok(())
    }

    /// Loads a folder's handlers once; see [`Folder::load`].
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub async fn load_folder(&self, folder: &Path, policy: &Policy) -> std::io::Result<FolderReport> {
        Folder::new(folder, policy.clone()).load(self).await
    }

    /// Compiles a component, without giving it a name that means it.
    async fn prepare(
        &self,
        name: &str,
        version: Option<&str>,
        bytes: Vec<u8>,
        settings: HandlerSettings,
    ) -> Result<Handler, LoadError> {
        let (sandbox, name, version) = (self.sandbox.clone(), name.to_owned(), version.map(str::to_owned));
        let compile = move || {
            let prepared = sandbox.prepare(&bytes, &settings.limits)?;
            Ok(Handler::new(&name, version.as_deref(), &bytes, prepared, settings))
        };
        let compiled = tokio::task::spawn_blocking(compile).await;
        compiled.unwrap_or_else(|error| Err(LoadError::Host(error.to_string())))
    }

    /// Swaps what a name means, for all attempts that begin from now on.
    fn place(&self, slot: Slot) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if slot.origin == Origin::Stored && slots.get(&slot.active.name).is_some_and(Slot::is_given) {
            return;
        }
        slots.insert(slot.active.name.clone(), slot);
    }

    /// Takes a name out, if it came from there. Attempts under way go on.
    fn take_out(&self, name: &str, origin: Origin) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if slots.get(name).is_some_and(|slot| slot.origin == origin) {
            slots.remove(name);
        }
    }

    fn slot(&self, name: &str) -> Option<Slot> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The code a name means now, for those whose job does not matter: the active version.
    pub fn resolve(&self, name: &str) -> Option<Arc<Handler>> {
        Some(self.slot(name)?.active)
    }

    /// The code that a job runs: the active version, or the canary for its share of the jobs. A job
    /// that runs again finds itself on the same side.
    pub fn resolve_for(&self, name: &str, job_id: &str) -> Option<Arc<Handler>> {
        let slot = self.slot(name)?;
        match slot.canary {
            Some((canary, percent)) if is_in_share(job_id, percent) => Some(canary),
            _ => Some(slot.active),
        }
    }

    /// A version of a handler, if it is the active one or the canary.
    pub fn version(&self, name: &str, version: &str) -> Option<Arc<Handler>> {
        let slot = self.slot(name)?;
        let canary = slot.canary.map(|(canary, _)| canary);
        [Some(slot.active), canary].into_iter().flatten().find(|handler| handler.version == version)
    }

    /// All handlers' active versions, in the order of their names.
    pub fn handlers(&self) -> Vec<Arc<Handler>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.values().map(|slot| slot.active.clone()).collect()
    }

    /// Which versions this process has.
    pub fn versions(&self) -> Vec<RunnerVersion> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let roles = [VersionRole::Active, VersionRole::Canary];
        let of_slot = |slot: &Slot| -> Vec<RunnerVersion> {
            let one = |(handler, role): (&Arc<Handler>, VersionRole)| RunnerVersion {
                handler: handler.name.clone(),
                version: handler.version.clone(),
                digest: handler.digest.clone(),
                role,
                error: None,
            };
            slot.handlers().zip(roles).map(one).collect()
        };
        slots.values().flat_map(of_slot).collect()
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<String> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Slot {
    fn handlers(&self) -> impl Iterator<Item = &Arc<Handler>> {
        std::iter::once(&self.active).chain(self.canary.iter().map(|(canary, _)| canary))
    }

    fn is_given(&self) -> bool {
        self.origin == Origin::Given
    }
}

/// The SHA-256 digest of a component, 64 hexadecimal digits in lower case.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a job is among so many percent of all jobs: by its id, so that every runner says the same.
fn is_in_share(job_id: &str, percent: u8) -> bool {
    let hash = Sha256::digest(job_id.as_bytes());
    let number = hash.iter().take(4).fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    number % 100 < u32::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_jobs_is_that_share_and_stays_it() {
        for percent in [1, 10, 50, 99] {
            let jobs = (0..10_000).map(|number| format!("job {number}"));
            let share = jobs.filter(|id| is_in_share(id, percent)).count() as i64;
            assert!((share - 100 * i64::from(percent)).abs() < 250, "{share} of 10000 at {percent} %");
        }
        assert!((0..100).all(|n: u32| !is_in_share(&n.to_string(), 0) && is_in_share(&n.to_string(), 100)));
    }
}
