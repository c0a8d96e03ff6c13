//! Handlers in a folder: for development, and for those who deploy files.

mod snapshot;

use super::manifest::FILE_NAME;
use super::{Candidate, Catalog, HandlerFiles, Origin, Parts, Policy, Slot};
use crate::job::{ErrorCode, InvalidJob, JobError};
use crate::sandbox::LoadError;
use crate::telemetry;
use snapshot::{Snapshot, Stamp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How often a watched folder is looked at. A change counts once two looks have seen the same, so that a file
/// is not read while it is being written.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// A folder of handlers: every `NAME.wasm` in it, and every folder in it that holds a `handler.toml`; or one handler,
/// if it holds a `handler.toml` itself.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    policy: Policy,
    /// What was there when it was loaded last.
    entries: Mutex<BTreeMap<PathBuf, Entry>>,
}

/// One handler's file or folder.
#[derive(Debug, Clone, Default)]
struct Entry {
    stamp: Stamp,
    /// The name under which it was loaded, from this stamp or an earlier one.
    name: Option<String>,
}

/// Why a file is no handler.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: FileProblem,
}

/// What can be wrong with a handler's file.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is no handler.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its name is no text.
    #[error("the file's name, which names the handler, is not UTF-8")]
    Name,
    /// Its name is none that a job could have.
    #[error(transparent)]
    InvalidName(#[from] InvalidJob),
    /// Its `handler.toml` is wrong.
    #[error("{0}")]
    Manifest(String),
    /// A folder with a `handler.toml` holds one component.
    #[error(
        "beside handler.toml there must be NAME.wasm, by the handler's name, or one .wasm file; there are {0}"
    )]
    Components(usize),
    /// Asked what it is, it does not answer as it should.
    #[error("asked to describe itself, the component ended with {0}")]
    Describe(JobError),
    /// What it says of itself makes no sense, or contradicts its manifest.
    #[error("{0}")]
    Metadata(String),
    /// The policy asks for a signature that it has not.
    #[error("the component {0}")]
    Signature(String),
    /// One of its schemas is none, or passes a bound.
    #[error("{0}")]
    Schema(String),
    /// What the operator has set for it is not what its schema wants.
    #[error("the configuration that the settings hold for it does not fit its config schema: {0}")]
    Config(String),
    /// Another file of the folder, which comes first in the order of names, has it already.
    #[error("the handler {name:?} is in {} already", other.display())]
    NameTaken {
        /// The handler's name.
        name: String,
        /// The file that has it.
        other: PathBuf,
    },
}

/// What one handler asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedGrants {
    /// The handler's name.
    pub handler: String,
    /// As its manifest has it, such as `http = "https://api.example.com"`.
    pub grants: Vec<String>,
}

impl FileProblem {
    pub(super) fn manifest(why: String) -> Self {
        FileProblem::Manifest(format!("{FILE_NAME}: {why}"))
    }
}

/// What loading a folder came to.
#[derive(Debug, Default)]
pub struct FolderReport {
    /// The names of the handlers that are new or changed, and ready.
    pub loaded: Vec<String>,
    /// The names of those that are not there any more.
    pub removed: Vec<String>,
    /// The files that are new or changed and no handlers. What such a file was before goes on.
    pub refused: Vec<FileError>,
    /// What handlers asked for that the policy does not allow: they are loaded, and such calls are denied.
    pub denied: Vec<DeniedGrants>,
}

impl Folder {
    /// A folder, of which nothing is loaded yet. Its handlers get what this policy allows.
    pub fn new(path: &Path, policy: Policy) -> Self {
        Folder { path: path.to_owned(), policy, entries: Mutex::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Loads what is new or has changed since the last call, and takes out what is gone. One bad file does not keep
    /// the others out, nor what it was before.
    ///
    /// # Errors
    /// When the folder cannot be listed; nothing changes then.
    pub async fn load(&self, catalog: &Catalog) -> std::io::Result<FolderReport> {
        self.load_snapshot(catalog, Snapshot::take(&self.path).await?).await
    }

    async fn load_snapshot(&self, catalog: &Catalog, found: Snapshot) -> std::io::Result<FolderReport> {
        let mut entries = self.entries.lock().await;
        let mut report = FolderReport::default();
        entries.retain(|path, entry| {
            let stays = found.contains(path);
            if let Some(name) = entry.name.take_if(|_| !stays) {
                catalog.take_out(&name, Origin::Given);
                report.removed.push(name);
            }
            stays
        });
        for (path, stamp) in found {
            let before = entries.get(&path).cloned().unwrap_or_default();
            if before.stamp == stamp {
                continue;
            }
            let name = match self.load_one(catalog, &path, &entries).await {
                Ok(candidate) => {
                    let name = candidate.handler.name.clone();
                    report.add(&name, &before, candidate, catalog);
                    Some(name)
                }
                Err(why) => {
                    report.refused.push(FileError { path: path.clone(), why });
                    before.name
                }
            };
            entries.insert(path, Entry { stamp, name });
        }
        Ok(report)
    }

    async fn load_one(
        &self,
        catalog: &Catalog,
        path: &Path,
        entries: &BTreeMap<PathBuf, Entry>,
    ) -> Result<Candidate, FileProblem> {
        let is_folder = path.join(FILE_NAME).is_file();
        let files = if is_folder { HandlerFiles::of_folder(path) } else { HandlerFiles::of_component(path) }?;
        let mut others = entries.iter().filter(|(other, _)| *other != path);
        if let Some((other, _)) = others.find(|(_, entry)| entry.name.as_deref() == Some(&files.name)) {
            return Err(FileProblem::NameTaken { name: files.name, other: other.clone() });
        }
        let parts = Parts::read(files, &self.policy)?;
        Candidate::examine(catalog, parts, &self.policy).await
    }

    /// Looks again and again, and loads what has changed. `tell` hears of every change, and once of a folder that
    /// cannot be listed any more. Ends when the returned future is dropped.
    pub async fn watch(&self, catalog: &Catalog, tell: impl Fn(std::io::Result<FolderReport>)) {
        let mut before: Option<Snapshot> = None;
        let mut is_lost = false;
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            match Snapshot::take(&self.path).await {
                Ok(found) => {
                    is_lost = false;
                    let is_settled = before.as_ref() == Some(&found);
                    if is_settled && !self.is_loaded(&found).await {
                        tell(self.load_snapshot(catalog, found.clone()).await);
                    }
                    before = Some(found);
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_lost, true) {
                        tell(Err(error));
                    }
                }
            }
        }
    }

    async fn is_loaded(&self, found: &Snapshot) -> bool {
        let entries = self.entries.lock().await;
        let loaded = entries.iter().map(|(path, entry)| (path, &entry.stamp));
        loaded.eq(found.iter())
    }
}

impl FolderReport {
    /// Tells the log of every handler that came, went, was refused or asks in vain.
    pub fn log(&self) {
        self.removed.iter().for_each(|handler| telemetry::handler_removed(handler));
        self.loaded.iter().for_each(|handler| telemetry::handler_loaded(handler));
        self.refused.iter().for_each(|refused| {
            telemetry::handler_refused(ErrorCode::HandlerLoadFailed.as_str(), refused);
        });
        self.denied.iter().for_each(|one| telemetry::asked_in_vain(&one.handler, &one.grants.join(", ")));
    }

    /// Swaps a handler in, and out what the same files were before.
    fn add(&mut self, name: &str, before: &Entry, candidate: Candidate, catalog: &Catalog) {
        if !candidate.denied.is_empty() {
            self.denied.push(DeniedGrants { handler: name.to_owned(), grants: candidate.denied });
        }
        let active = Arc::new(candidate.handler);
        catalog.place(Slot { active, canary: None, origin: Origin::Given });
        self.loaded.push(name.to_owned());
        if let Some(old) = before.name.as_ref().filter(|old| *old != name) {
            catalog.take_out(old, Origin::Given);
            self.removed.push(old.clone());
        }
    }
}
