//! Which code a handler name means now.

mod manifest;

use crate::job::{InvalidJob, RetryPolicy, WAITS_MAX_DEFAULT, check_name};
use crate::sandbox::{Grants, Limits, LoadError, Prepared, Sandbox};
use manifest::Manifest;
use std::collections::BTreeMap;
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
}

impl Default for HandlerSettings {
    fn default() -> Self {
        HandlerSettings {
            limits: Limits::default(),
            retry: RetryPolicy::default(),
            concurrency: None,
            waits_max: WAITS_MAX_DEFAULT,
            grants: Grants::default(),
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

/// What loading a folder came to.
#[derive(Debug, Default)]
pub struct FolderReport {
    /// The names of the handlers that are ready.
    pub loaded: Vec<String>,
    /// The files that are no handlers.
    pub refused: Vec<FileError>,
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

    /// Loads every `NAME.wasm` of a folder as the handler `NAME`, with these settings, and every folder in
    /// it that holds a `handler.toml` and one component, with what that says over these settings. One bad
    /// file does not keep the others out. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn load_folder(&self, folder: &Path, settings: HandlerSettings) -> std::io::Result<FolderReport> {
        let mut report = FolderReport::default();
        for path in sorted(folder)? {
            let manifest = path.join(manifest::FILE_NAME);
            let loaded = if manifest.is_file() {
                self.load_with_manifest(&path, &manifest, &settings)
            } else if is_component(&path) {
                self.load_file(&path, settings.clone())
            } else {
                continue;
            };
            match loaded {
                Ok(name) => report.loaded.push(name),
                Err(why) => report.refused.push(FileError { path, why }),
            }
        }
        Ok(report)
    }

    fn load_with_manifest(
        &self,
        folder: &Path,
        manifest: &Path,
        settings: &HandlerSettings,
    ) -> Result<String, FileProblem> {
        let invalid = |why| FileProblem::Manifest(format!("{}: {why}", manifest::FILE_NAME));
        let manifest = Manifest::parse(&std::fs::read_to_string(manifest)?).map_err(invalid)?;
        let settings = manifest.settings(settings).map_err(invalid)?;
        let components: Vec<PathBuf> =
            sorted(folder)?.into_iter().filter(|path| is_component(path)).collect();
        let [component] = components.as_slice() else {
            return Err(FileProblem::Components(components.len()));
        };
        let named_by_folder = folder.file_name().and_then(|name| name.to_str());
        let name = manifest.name.as_deref().or(named_by_folder).ok_or(FileProblem::Name)?;
        self.load_named(name, component, settings)
    }

    fn load_file(&self, path: &Path, settings: HandlerSettings) -> Result<String, FileProblem> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or(FileProblem::Name)?;
        self.load_named(name, path, settings)
    }

    fn load_named(
        &self,
        name: &str,
        component: &Path,
        settings: HandlerSettings,
    ) -> Result<String, FileProblem> {
        check_name("handler", name)?;
        self.load(name, &std::fs::read(component)?, settings)?;
        Ok(name.to_owned())
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

fn is_component(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

fn sorted(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}
