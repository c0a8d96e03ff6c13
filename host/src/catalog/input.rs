use super::{Schemas, Violation};
use crate::job::NewJob;
use crate::store::{SharedStore, StoreError};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A schema that was looked up so long ago is looked up again.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// More handlers than this are looked up each time.
const KEPT_MAX: usize = 1000;

/// Checks inputs before their jobs are created, by the schema of the handler's active version or of the one that the job
/// names. It spares a job that could only fail: every runner checks again before it runs one. What is not in the database, such as a handler of
/// a folder, cannot be checked here and is let through.
pub struct InputChecks {
    store: SharedStore,
    found: Mutex<Found>,
}

/// By handler and version, what was found and when.
type Found = BTreeMap<(String, Option<String>), (Instant, Schemas)>;

/// Why a job would fail at once.
#[derive(Debug, thiserror::Error)]
pub enum InputFault {
    /// The input does not fit.
    #[error("the input does not fit the schema of the handler {handler:?}: {}", listed(.violations))]
    Input {
        /// The handler.
        handler: String,
        /// What is wrong where.
        violations: Vec<Violation>,
    },
    /// The job names a version that the database does not have.
    #[error("the handler {handler:?} has no version {version:?} in the database")]
    UnknownVersion {
        /// The handler.
        handler: String,
        /// The version.
        version: String,
    },
    /// The database cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn listed(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl InputChecks {
    /// Over this database. Schemas are kept for five seconds.
    pub fn new(store: SharedStore) -> Self {
        InputChecks { store, found: Mutex::default() }
    }

    /// Whether the job's handler can be called with its input, as far as that is known.
    ///
    /// # Errors
    /// [`InputFault`] says what is wrong.
    pub async fn check(&self, job: &NewJob) -> Result<(), InputFault> {
        let schemas = self.schemas(&job.handler, job.pinned_version.as_deref()).await?;
        if !schemas.has_input() {
            return Ok(());
        }
        let input = job.input.clone();
        let checked = tokio::task::spawn_blocking(move || schemas.check_input(&input)).await;
        let handler = job.handler.clone();
        match checked {
            Ok(Err(violations)) => Err(InputFault::Input { handler, violations }),
            Ok(Ok(())) => Ok(()),
            Err(error) => Err(StoreError::Internal(format!("the check itself failed: {error}")).into()),
        }
    }

    async fn schemas(&self, handler: &str, pin: Option<&str>) -> Result<Schemas, InputFault> {
        let key = (handler.to_owned(), pin.map(str::to_owned));
        if let Some((at, schemas)) = self.found().get(&key)
            && at.elapsed() < FRESH_FOR
        {
            return Ok(schemas.clone());
        }
        let schemas = self.look_up(handler, pin).await?;
        let mut found = self.found();
        if found.len() >= KEPT_MAX {
            found.clear();
        }
        found.insert(key, (Instant::now(), schemas.clone()));
        Ok(schemas)
    }

    async fn look_up(&self, handler: &str, pin: Option<&str>) -> Result<Schemas, InputFault> {
        let row = self.store.handler_row(handler).await?;
        let Some(version) = pin.map(str::to_owned).or(row.as_ref().and_then(|row| row.active.clone())) else {
            return Ok(Schemas::default());
        };
        let Some(found) = self.store.version(handler, &version).await? else {
            // A folder's handlers have versions too.
            let is_stored = row.is_some_and(|row| row.active.is_some());
            let fault = InputFault::UnknownVersion { handler: handler.to_owned(), version };
            return if is_stored { Err(fault) } else { Ok(Schemas::default()) };
        };
        // What was compiled when it was pushed and no longer can be is the runner's to refuse.
        Ok(Schemas::from_store(found.schemas.as_ref()).await.unwrap_or_default())
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
