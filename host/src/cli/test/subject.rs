use super::grant;
use super::setup::Setup;
use crate::cli::BadInput;
use crate::config::{RawSettings, Settings};
use flowmonkey_jobs::catalog::{
    Candidate, Catalog, FileProblem, HandlerFiles, HandlerPolicy, Manifest, Parts, Policy,
};
use flowmonkey_jobs::sandbox::{Allowance, Beyond, ConfigValues, Grants, Playback, Sandbox};
use flowmonkey_jobs::trial::{self, Trial, TrialReport};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The handler that is tried, read once.
pub(super) struct Subject {
    catalog: Catalog,
    parts: Parts,
    /// As it was last examined: most cases have the same configuration.
    ready: Option<Ready>,
}

struct Ready {
    config: BTreeMap<String, String>,
    candidate: Candidate,
    /// What it gets of what it asks for, before a case changes it.
    granted: Grants,
}

/// An attempt that is over.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) handler: String,
    pub(super) version: String,
    pub(super) report: TrialReport,
    /// What a push would have against it, though a trial has not.
    pub(super) notes: Vec<String>,
}

impl Subject {
    pub(super) fn load(path: &Path, settings: RawSettings) -> anyhow::Result<Self> {
        let parts = parts(path)?;
        let settings = Settings::try_from(settings).map_err(BadInput)?;
        let sandbox = Sandbox::new(&settings.sandbox)?;
        Ok(Subject { catalog: Catalog::new(Arc::new(sandbox)), parts, ready: None })
    }

    /// Tries it once.
    pub(super) async fn run(&mut self, setup: Setup, beyond: &Beyond) -> anyhow::Result<Tried> {
        let Setup { trial, config, grants, denied, answers } = setup;
        let playback = Playback::new(answers, beyond.clone()).map_err(BadInput)?;
        let unread: Vec<String> = config.keys().cloned().collect();
        let Ready { candidate, granted, .. } = match self.ready.take().filter(|ready| ready.config == config)
        {
            Some(ready) => self.ready.insert(ready),
            None => {
                let ready = self.examine(config).await?;
                self.ready.insert(ready)
            }
        };
        let granted = grant::change(granted.clone(), &grants, &denied);
        let unread = unread.into_iter().filter(|key| !granted.config.contains(key));
        let notes = notes(candidate, &granted, unread);
        candidate.handler.settings.grants = granted;
        let trial = Trial { playback: Some(Arc::new(playback)), ..trial };
        let report = trial::run(self.catalog.sandbox(), &candidate.handler, trial).await;
        let (handler, version) = (candidate.handler.name.clone(), candidate.handler.version.clone());
        Ok(Tried { handler, version, report, notes })
    }

    async fn examine(&self, config: BTreeMap<String, String>) -> Result<Ready, BadInput> {
        let mut values = ConfigValues::default();
        config.iter().for_each(|(key, value)| values.set(key, value));
        let of_one = HandlerPolicy { config: Arc::new(values), ..HandlerPolicy::default() };
        let handlers = [(self.parts.name.clone(), of_one)].into();
        let policy = Policy { handlers, ..policy() };
        let candidate = Candidate::examine(&self.catalog, self.parts.clone(), &policy).await;
        let candidate = candidate.map_err(|why| BadInput(format!("{}: {why}", self.parts.name)))?;
        let granted = candidate.handler.settings.grants.clone();
        Ok(Ready { config, candidate, granted })
    }
}

/// The handlers are the developer's own.
fn policy() -> Policy {
    Policy { allowance: Allowance::everything(), ..Policy::default() }
}

fn parts(path: &Path) -> Result<Parts, BadInput> {
    let shown = path.display();
    let of = |why: String| BadInput(format!("{shown}: {why}"));
    let unbuilt = || of(format!("there is no component yet: `flowmonkey build {shown}` makes it"));
    let files = if path.is_dir() {
        // A folder's name, which `.` has not, may name the handler.
        let folder = path.canonicalize().map_err(|error| of(error.to_string()))?;
        let text = std::fs::read_to_string(folder.join("handler.toml")).map_err(|error| {
            of(format!("handler.toml: {error}; name a folder that has one, or a NAME.wasm"))
        })?;
        let manifest = Manifest::parse(&text).unwrap_or_default();
        if manifest.component().is_some_and(|component| !folder.join(component).exists()) {
            return Err(unbuilt());
        }
        HandlerFiles::of_folder(&folder)
    } else {
        HandlerFiles::of_component(path)
    };
    files.and_then(|files| Parts::read(files, &policy())).map_err(|why| match why {
        FileProblem::Components(0) => unbuilt(),
        why => of(why.to_string()),
    })
}

/// What surprises whoever does not know it.
fn notes(candidate: &Candidate, granted: &Grants, unread: impl Iterator<Item = String>) -> Vec<String> {
    let has = |kind: &str| granted.written().iter().any(|line| line.starts_with(&format!("{kind} ")));
    let unmentioned = candidate.unmentioned.iter().filter(|grant| !has(grant.name()));
    let unmentioned = unmentioned.map(|grant| {
        format!("it imports what needs a grant that handler.toml does not mention: {}", grant.example())
    });
    let config = candidate.denied.iter().filter(|line| line.starts_with("config"));
    let unset = config.map(|line| format!("it asks for a configuration key that is not set: {line}"));
    let unread = unread
        .map(|key| format!("it does not ask for the configuration key that is set: config = [{key:?}]"));
    unmentioned.chain(unset).chain(unread).collect()
}
