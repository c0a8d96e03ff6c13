//! Handlers that live in the database: their versions, which of them is active, and who changed that.

pub(super) mod change;
pub(super) mod rules;

use super::StoreError;
use crate::job::JsonText;
use async_trait::async_trait;
use std::fmt;

/// The largest component that the database takes: 256 MiB.
pub const COMPONENT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A version on its way into the database. What it holds was checked by whoever pushes it.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The handler's name.
    pub handler: String,
    /// What the version is called; `None` is the next number.
    pub version: Option<String>,
    /// SHA-256 of the component, 64 hexadecimal digits in lower case.
    pub digest: String,
    /// The component's bytes; at most [`COMPONENT_BYTES_MAX`].
    pub component: Vec<u8>,
    /// Its `handler.toml`, as it was written; empty when there was none.
    pub manifest: String,
    /// What the component says of itself, an object.
    pub metadata: Option<JsonText>,
    /// The JSON Schemas that hold for it: an object with any of `input`, `output`, `config`.
    pub schemas: Option<JsonText>,
    /// A signature of the digest, in Base64.
    pub signature: Option<String>,
    /// Where it came from, such as a pinned OCI reference.
    pub source: Option<String>,
}

/// What makes a version active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// All new claims use it; a canary that ran beside the old one ends.
    All,
    /// So many percent of the jobs use it, 1 to 99; the active one stays for the others. It needs an active version
    /// beside it.
    Canary(u8),
}

/// What a push came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// What the version is called.
    pub version: String,
    /// Whether it is new; else the same component with the same manifest was pushed before.
    pub is_new: bool,
}

/// Which version is meant, also when one was removed and another pushed under its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionTag {
    /// What it is called.
    pub version: String,
    /// When it was pushed, in milliseconds since 1970.
    pub pushed_at: i64,
}

/// A handler in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerRow {
    /// Its name.
    pub name: String,
    /// The version that new claims use; none before the first activation.
    pub active: Option<String>,
    /// The version that some of the claims use, and how many percent.
    pub canary: Option<(String, u8)>,
    /// Whether its jobs stay pending.
    pub paused: bool,
    /// Grows with every change.
    pub revision: i64,
    /// When the active version was pushed, in milliseconds since 1970. A version that was removed and one that was pushed
    /// under its name afterwards are told apart by it.
    pub active_pushed_at: Option<i64>,
    /// When the canary was pushed.
    pub canary_pushed_at: Option<i64>,
    /// Who changed it last.
    pub updated_by: String,
    /// When, in milliseconds since 1970.
    pub updated_at: i64,
}

/// A version in the database, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// The handler's name.
    pub handler: String,
    /// What it is called; unique within the handler.
    pub version: String,
    /// Its place among the handler's versions; the first is 1.
    pub number: i64,
    /// As [`NewVersion::digest`].
    pub digest: String,
    /// The component's size.
    pub component_bytes: i64,
    /// As [`NewVersion::manifest`].
    pub manifest: String,
    /// As [`NewVersion::metadata`].
    pub metadata: Option<JsonText>,
    /// As [`NewVersion::schemas`].
    pub schemas: Option<JsonText>,
    /// As [`NewVersion::signature`].
    pub signature: Option<String>,
    /// As [`NewVersion::source`].
    pub source: Option<String>,
    /// Who pushed it.
    pub pushed_by: String,
    /// When, in milliseconds since 1970.
    pub pushed_at: i64,
    /// When it became the active version last; none if it never was.
    pub activated_at: Option<i64>,
}

impl HandlerRow {
    /// Which version is active.
    pub fn active_tag(&self) -> Option<VersionTag> {
        Some(VersionTag { version: self.active.clone()?, pushed_at: self.active_pushed_at? })
    }

    /// Which version is the canary, and for how many percent of the jobs.
    pub fn canary_tag(&self) -> Option<(VersionTag, u8)> {
        let (version, percent) = self.canary.clone()?;
        Some((VersionTag { version, pushed_at: self.canary_pushed_at? }, percent))
    }
}

impl VersionRow {
    /// Which version it is.
    pub fn tag(&self) -> VersionTag {
        VersionTag { version: self.version.clone(), pushed_at: self.pushed_at }
    }
}

/// One change that somebody made. It stays when the handler is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The handler.
    pub handler: String,
    /// The version it is about, if it is about one.
    pub version: Option<String>,
    /// `pushed`, `activated`, `rolled-back`, `canary`, `promoted`, `aborted`, `paused`, `resumed`, `removed`.
    pub action: String,
    /// Who did it.
    pub actor: String,
    /// What else is to be said, such as a digest or a percentage.
    pub detail: Option<String>,
}

/// What a runner has of a handler; part of what it announces.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunnerVersion {
    /// The handler.
    pub handler: String,
    /// The version.
    pub version: String,
    /// The component.
    pub digest: String,
    /// What it is to this runner.
    pub role: VersionRole,
    /// Why it cannot be loaded, with its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a version is to a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionRole {
    /// New claims use it.
    Active,
    /// Some of the new claims use it.
    Canary,
    /// It should be active or a canary, and cannot be loaded.
    Refused,
}

/// Where handlers are kept, so that a whole fleet runs the same ones. Every change is one transaction, durable
/// when the call returns, is written to the audit trail with its actor (1 to 128 bytes), and is told to
/// whoever listens. What is as it is asked for already is not changed: neither revision nor trail grow.
#[async_trait]
pub trait HandlerStore: Send + Sync + 'static {
    /// Stores a version, and activates it if that is asked for. The same component with the same manifest and
    /// schemas is the version that is there (of several the newest), unless it asks for a name that none has
    /// yet: then it is a new one. Its component is stored once, however many versions have it. Numbers of
    /// versions that were removed are not given again while the handler is there.
    ///
    /// # Errors
    /// [`HandlerFault::VersionTaken`] when another version has the name; [`HandlerFault::NothingBeside`] for
    /// a canary of a handler without an active version; [`StoreError::Invalid`] for what cannot be stored, such
    /// as a component over [`COMPONENT_BYTES_MAX`], and for a percentage that is none. Nothing is stored then.
    async fn push_version(
        &self,
        new: &NewVersion,
        activation: Option<Activation>,
        actor: &str,
    ) -> Result<Pushed, HandlerFault>;

    /// Makes a version active, or a canary.
    ///
    /// # Errors
    /// When there is no such version, or nothing a canary could run beside; [`StoreError::Invalid`] for a
    /// canary of the active version itself, or of another share than 1 to 99 %.
    async fn activate(
        &self,
        handler: &str,
        version: &str,
        activation: Activation,
        actor: &str,
    ) -> Result<(), HandlerFault>;

    /// Activates the version that was pushed last before the active one, of those that were active before.
    /// A canary ends. Returns which.
    ///
    /// # Errors
    /// [`HandlerFault::NothingOlder`] when there is none.
    async fn roll_back(&self, handler: &str, actor: &str) -> Result<String, HandlerFault>;

    /// Makes the canary the active version. Returns which.
    ///
    /// # Errors
    /// [`HandlerFault::NoCanary`].
    async fn promote_canary(&self, handler: &str, actor: &str) -> Result<String, HandlerFault>;

    /// Ends the canary; the active version is used for all. Returns which canary it was.
    ///
    /// # Errors
    /// [`HandlerFault::NoCanary`].
    async fn abort_canary(&self, handler: &str, actor: &str) -> Result<String, HandlerFault>;

    /// Pauses or resumes a handler: while it is paused its jobs stay pending, and those that run go on. Works for
    /// handlers that are not in the database too; those have a row without versions from then on, until
    /// [`HandlerStore::remove_handler`]. Returns whether that changed anything.
    async fn set_handler_paused(
        &self,
        handler: &str,
        paused: bool,
        actor: &str,
    ) -> Result<bool, HandlerFault>;

    /// Removes a version, and its component if no other has it.
    ///
    /// # Errors
    /// [`HandlerFault::InUse`] while it is active, a canary, or named by a job that has not ended. A job that
    /// is created at the same moment may not be seen.
    async fn remove_version(&self, handler: &str, version: &str, actor: &str) -> Result<(), HandlerFault>;

    /// Removes a handler with all its versions, and its pause. Its pending jobs stay pending.
    ///
    /// # Errors
    /// [`HandlerFault::InUse`] while jobs of it have not ended, unless `even_with_jobs`.
    async fn remove_handler(
        &self,
        handler: &str,
        even_with_jobs: bool,
        actor: &str,
    ) -> Result<(), HandlerFault>;

    /// All handlers, in the order of their names.
    async fn handler_rows(&self) -> Result<Vec<HandlerRow>, StoreError>;

    /// One handler.
    async fn handler_row(&self, name: &str) -> Result<Option<HandlerRow>, StoreError> {
        Ok(self.handler_rows().await?.into_iter().find(|row| row.name == name))
    }

    /// The versions of a handler, newest first.
    async fn versions(&self, handler: &str) -> Result<Vec<VersionRow>, StoreError>;

    /// One version.
    async fn version(&self, handler: &str, version: &str) -> Result<Option<VersionRow>, StoreError>;

    /// A component's bytes.
    async fn component(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The latest changes, newest first; of one handler, or of all.
    async fn audit(&self, handler: Option<&str>, limit: u32) -> Result<Vec<AuditRow>, StoreError>;
}

/// Why a handler in the database was not changed.
#[derive(Debug, thiserror::Error)]
pub enum HandlerFault {
    /// There is no such handler.
    #[error("there is no handler {0:?} in the database")]
    UnknownHandler(String),
    /// There is no such version.
    #[error("the handler {handler:?} has no version {version:?}")]
    UnknownVersion {
        /// The handler.
        handler: String,
        /// The version.
        version: String,
    },
    /// Versions never change.
    #[error(
        "the handler {handler:?} has a version {version:?} already, with other content (component {digest}); \
         versions never change: give this one another `version` in handler.toml"
    )]
    VersionTaken {
        /// The handler.
        handler: String,
        /// The version.
        version: String,
        /// The component that is there.
        digest: String,
    },
    /// A canary runs beside an active version.
    #[error("the handler {0:?} has no active version that a canary could run beside")]
    NothingBeside(String),
    /// No canary is running.
    #[error("the handler {0:?} has no canary")]
    NoCanary(String),
    /// No older version was ever active.
    #[error("the handler {0:?} has no older version that was active before")]
    NothingOlder(String),
    /// Something still needs it.
    #[error("{what} cannot be removed: {why}")]
    InUse {
        /// The handler or version.
        what: String,
        /// What needs it.
        why: InUse,
    },
    /// As for every call.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What needs a version or a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InUse {
    /// It is active.
    Active,
    /// It is the canary.
    Canary,
    /// So many jobs that have not ended need it; the count is cut at 1000.
    Jobs(u64),
}

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InUse::Active => f.write_str("it is the active version; activate another first"),
            InUse::Canary => f.write_str("it is the canary; promote or abort it first"),
            InUse::Jobs(jobs) => write!(f, "{jobs} jobs that have not ended need it"),
        }
    }
}

impl From<sqlx::Error> for HandlerFault {
    fn from(error: sqlx::Error) -> Self {
        HandlerFault::Store(error.into())
    }
}
