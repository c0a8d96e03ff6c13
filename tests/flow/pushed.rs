//! What the cases about pushed handlers share: a runner that takes its handlers from the database, and pushes.

use flowmonkey_jobs::catalog::{
    Candidate, Catalog, FileProblem, Manifest, Parts, Policy, StoredHandlers, WrittenSchemas,
};
use flowmonkey_jobs::job::{JsonText, NewJob};
use flowmonkey_jobs::runner::Runner;
use flowmonkey_jobs::sandbox::{Compilation, Sandbox, SandboxConfig};
use flowmonkey_jobs::store::{Activation, NewVersion, SharedStore};
use flowmonkey_tests::guests;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// A runner with nothing of its own.
pub(crate) struct Host {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) runner: Runner,
}

impl Host {
    pub(crate) fn start(store: &SharedStore) -> Self {
        Host::start_with(store, Policy::default())
    }

    pub(crate) fn start_with(store: &SharedStore, policy: Policy) -> Self {
        let catalog = empty_catalog();
        let stored = StoredHandlers::new(catalog.clone(), store.clone(), policy);
        let runner = Runner::builder(store.clone())
            .handlers(catalog.clone())
            .stored_handlers(stored)
            .poll_interval(Duration::from_millis(20))
            .heartbeat_interval(Duration::from_millis(200))
            .max_concurrent(NonZeroU32::new(8).unwrap())
            .build()
            .unwrap();
        runner.start();
        Host { catalog, runner }
    }
}

pub(crate) fn empty_catalog() -> Arc<Catalog> {
    let threads = NonZeroU32::new(2).unwrap();
    let config = SandboxConfig { threads, ..SandboxConfig::new(Compilation::InProcess) };
    Arc::new(Catalog::new(Arc::new(Sandbox::new(&config).unwrap())))
}

/// Whoever pushes: like the program, with a catalog of its own.
pub(crate) struct Pusher {
    pub(crate) store: SharedStore,
    catalog: Arc<Catalog>,
}

impl Pusher {
    pub(crate) fn new(store: &SharedStore) -> Self {
        Pusher { store: store.clone(), catalog: empty_catalog() }
    }

    /// Pushes version `version` of the handler `say`, which returns its version, and says its digest.
    pub(crate) async fn say(&self, version: &str, activation: Option<Activation>) -> String {
        let manifest = format!("version = '{version}'");
        let new = self.examine("say", &manifest, guests::saying(version, 20_000), None).await.unwrap();
        self.store.push_version(&new, activation, "test").await.unwrap();
        new.digest
    }

    pub(crate) async fn examine(
        &self,
        name: &str,
        manifest: &str,
        component: Vec<u8>,
        schemas: Option<WrittenSchemas>,
    ) -> Result<NewVersion, FileProblem> {
        let parts = Parts {
            name: name.into(),
            manifest: Manifest::parse(manifest).unwrap(),
            manifest_text: manifest.into(),
            schemas: schemas.unwrap_or_default(),
            component,
            signature: None,
        };
        Ok(Candidate::examine(&self.catalog, parts, &Policy::default()).await?.to_version(None))
    }
}

/// Nothing that any runner could load, under a name that is free.
pub(crate) fn garbage(handler: &str, version: &str) -> NewVersion {
    NewVersion {
        handler: handler.into(),
        version: Some(version.into()),
        digest: flowmonkey_jobs::catalog::digest(version.as_bytes()),
        component: version.as_bytes().to_vec(),
        manifest: String::new(),
        metadata: None,
        schemas: None,
        signature: None,
        source: None,
    }
}

pub(crate) async fn enqueue(store: &SharedStore, pin: Option<&str>) -> String {
    let input = JsonText::parse("null").unwrap();
    let job = NewJob { pinned_version: pin.map(str::to_owned), ..NewJob::new("say", input) };
    store.create(job).await.unwrap().job.id
}

/// What a job's handler returned, which for `say` is its version.
pub(crate) fn said(job: &flowmonkey_jobs::job::Job) -> String {
    let result = job.result.as_ref().unwrap_or_else(|| panic!("no result: {job:?}"));
    result.as_str().trim_matches('"').to_owned()
}
