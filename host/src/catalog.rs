//! Which code a handler name means now.

use crate::job::RetryPolicy;
use crate::sandbox::{Limits, LoadError, Metering, Prepared, Sandbox};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// What a handler may use and how it is retried.
#[derive(Debug, Clone, Copy, Default)]
pub struct HandlerSettings {
    /// Bounds of each attempt.
    pub limits: Limits,
    /// Backoff between attempts.
    pub retry: RetryPolicy,
    /// Whether its instructions are counted.
    pub metering: Metering,
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
        let prepared = self.sandbox.prepare(bytes, settings.metering)?;
        let handler = Arc::new(Handler { name: name.to_owned(), prepared, settings });
        let mut handlers = self.handlers.write().unwrap_or_else(PoisonError::into_inner);
        handlers.insert(name.to_owned(), handler);
        Ok(())
    }

    /// Loads every `NAME.wasm` of a folder as the handler `NAME`; one bad file does not keep the
    /// others out. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn load_folder(&self, folder: &Path, settings: HandlerSettings) -> std::io::Result<FolderReport> {
        let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
        paths.sort();
        let mut report = FolderReport::default();
        for path in paths {
            match self.load_file(&path, settings) {
                Ok(name) => report.loaded.push(name),
                Err(why) => report.refused.push(FileError { path, why }),
            }
        }
        Ok(report)
    }

    fn load_file(&self, path: &Path, settings: HandlerSettings) -> Result<String, FileProblem> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or(FileProblem::Name)?;
        self.load(name, &std::fs::read(path)?, settings)?;
        Ok(name.to_owned())
    }

    /// The code a name means now.
    pub fn resolve(&self, name: &str) -> Option<Arc<Handler>> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<String> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}
