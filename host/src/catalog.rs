//! Which code a handler name means now.

mod limits;
mod manifest;
mod policy;

pub use limits::{WrittenLimits, above_ceiling};
pub use policy::{HandlerPolicy, Policy, WrittenHandlerPolicy, WrittenPolicy};

use crate::job::{InvalidJob, RetryPolicy, WAITS_MAX_DEFAULT, check_name};
use crate::sandbox::{ConfigValues, Grants, Limits, LoadError, Prepared, Sandbox};
use manifest::Manifest;
use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
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
    /// How often one job may wait.
    pub waits_max: u32,
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
            waits_max: WAITS_MAX_DEFAULT,
            grants: Grants::default(),
            config: Arc::default(),
        }
    }
}

/// A handler that is ready to run.
#[derive(Debug)]
pub struct Handler {
    /// Its name.
    pub name: String,
    /// Its code, compiled and linked.
    pub prepared: Prepared,
    /// What it may use.
    pub settings: HandlerSettings,
}

/// The handlers of one process. Attempts keep the handler they began with; a replacement serves those
/// that begin later.
pub struct Catalog {
    sandbox: Arc<Sandbox>,
    handlers: RwLock<BTreeMap<String, Arc<Handler>>>,
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
    #[error("beside handler.toml there must be one .wasm file; there are {0}")]
    Components(usize),
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
    fn manifest(why: String) -> Self {
        FileProblem::Manifest(format!("{}: {why}", manifest::FILE_NAME))
    }
}

/// What loading a folder came to.
#[derive(Debug, Default)]
pub struct FolderReport {
    /// The names of the handlers that are ready.
    pub loaded: Vec<String>,
    /// The files that are no handlers.
    pub refused: Vec<FileError>,
    /// What handlers asked for that the policy does not allow: they are loaded, and such calls are denied.
    pub denied: Vec<DeniedGrants>,
}

impl Catalog {
    /// An empty catalog whose handlers will run in this sandbox.
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        Catalog { sandbox, handlers: RwLock::default() }
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
        let handler = Arc::new(Handler { name: name.to_owned(), prepared, settings });
        let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
        handlers.insert(name.to_owned(), handler);
        Ok(())
    }

    /// Loads every `NAME.wasm` of a folder as the handler `NAME`, and every folder in it that holds a
    /// `handler.toml` and one component, with what that says within this policy. One bad file does not keep
    /// the others out. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn load_folder(&self, folder: &Path, policy: &Policy) -> std::io::Result<FolderReport> {
        let mut report = FolderReport::default();
        for path in sorted(folder)? {
            let manifest = path.join(manifest::FILE_NAME);
            let found = if manifest.is_file() {
                with_manifest(&path, &manifest)
            } else if is_component(&path) {
                alone(&path)
            } else {
                continue;
            };
            match found.and_then(|found| self.load_found(found, policy)) {
                Ok((name, denied)) => {
                    if !denied.is_empty() {
                        report.denied.push(DeniedGrants { handler: name.clone(), grants: denied });
                    }
                    report.loaded.push(name);
                }
                Err(why) => report.refused.push(FileError { path, why }),
            }
        }
        Ok(report)
    }

    fn load_found(&self, found: Found, policy: &Policy) -> Result<(String, Vec<String>), FileProblem> {
        check_name("handler", &found.name)?;
        let (settings, denied) =
            policy.settings(&found.name, &found.manifest).map_err(FileProblem::manifest)?;
        let max = settings.limits.component_bytes_max;
        let too_large = |bytes| LoadError::TooLarge { bytes, max }.into();
        let bytes = read_limited(&found.component, max, too_large)?;
        self.load(&found.name, &bytes, settings)?;
        Ok((found.name, denied))
    }

    /// The code a name means now.
    pub fn resolve(&self, name: &str) -> Option<Arc<Handler>> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All handlers, in the order of their names.
    pub fn handlers(&self) -> Vec<Arc<Handler>> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<String> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

/// A handler in a folder, before its component is read.
struct Found {
    name: String,
    manifest: Manifest,
    component: PathBuf,
}

fn alone(path: &Path) -> Result<Found, FileProblem> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or(FileProblem::Name)?;
    Ok(Found { name: name.to_owned(), manifest: Manifest::default(), component: path.to_owned() })
}

fn with_manifest(folder: &Path, manifest: &Path) -> Result<Found, FileProblem> {
    let max = manifest::BYTES_MAX;
    let too_large = |bytes| FileProblem::manifest(format!("has {bytes} bytes, over the limit of {max}"));
    let text = read_limited(manifest, max, too_large)?;
    let text = String::from_utf8(text).map_err(|error| FileProblem::manifest(error.to_string()))?;
    let manifest = Manifest::parse(&text).map_err(FileProblem::manifest)?;
    let mut components = sorted(folder)?;
    components.retain(|path| is_component(path));
    let [component] = components.as_slice() else {
        return Err(FileProblem::Components(components.len()));
    };
    let named_by_folder = folder.file_name().and_then(|name| name.to_str());
    let name = manifest.name.as_deref().or(named_by_folder).ok_or(FileProblem::Name)?;
    Ok(Found { name: name.to_owned(), component: component.clone(), manifest })
}

/// A file's bytes, if it has no more than so many; what is too large is not even read.
fn read_limited(
    path: &Path,
    bytes_max: usize,
    too_large: impl Fn(usize) -> FileProblem,
) -> Result<Vec<u8>, FileProblem> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(too_large(length));
    }
    // Bounded again, since it may grow meanwhile, or be no plain file at all.
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(too_large(bytes.len())) } else { Ok(bytes) }
}

fn is_component(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

fn sorted(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}
