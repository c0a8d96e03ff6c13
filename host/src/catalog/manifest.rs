//! `handler.toml`: what a handler is called, what it needs and asks for.

mod files;
mod schema;

pub(super) use files::{FILE_NAME, is_component, named_files, signature_path, sorted};
pub use files::{HandlerFiles, SCHEMA_BYTES_MAX, WrittenSchemas, component_file};
pub use schema::manifest_schema;

use super::HandlerSettings;
use super::limits::WrittenLimits;
use super::suggestion::with_suggestion;
use crate::job::{RetryPolicy, check_name};
use crate::sandbox::Grants;
use crate::units::Span;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// `handler.toml` as it is written; unknown keys are errors. What is absent takes the runner's settings.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
    component: Option<PathBuf>,
    concurrency: Option<NonZeroU32>,
    fleet_concurrency: Option<NonZeroU32>,
    waits_max: Option<u32>,
    input_schema: Option<PathBuf>,
    output_schema: Option<PathBuf>,
    config_schema: Option<PathBuf>,
    validate_output: bool,
    limits: WrittenLimits,
    retry: ManifestRetry,
    grants: Grants,
    /// The grants that are written at all.
    #[serde(skip)]
    mentions: BTreeSet<String>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct ManifestRetry {
    base: Option<Span>,
    factor: Option<f64>,
    cap: Option<Span>,
}

impl Manifest {
    /// Reads the text of a `handler.toml`.
    ///
    /// # Errors
    /// Names the line and the key that is unknown or makes no sense; for a slip of the hand, the key that was meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |error: toml::de::Error| with_suggestion(&error.to_string());
        let mut manifest: Manifest = toml::from_str(text).map_err(wrong)?;
        let table: toml::Table = toml::from_str(text).map_err(wrong)?;
        let grants = table.get("grants").and_then(toml::Value::as_table);
        manifest.mentions = grants.map(|grants| grants.keys().cloned().collect()).unwrap_or_default();
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        for (key, name) in [("name", &self.name), ("version", &self.version)] {
            let Some(name) = name else { continue };
            check_name(key, name).map_err(|error| error.to_string())?;
        }
        let paths = [
            ("component", &self.component),
            ("input-schema", &self.input_schema),
            ("output-schema", &self.output_schema),
            ("config-schema", &self.config_schema),
        ];
        for (key, path) in paths {
            let Some(path) = path else { continue };
            let is_inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
            if path.as_os_str().is_empty() || !path.components().all(is_inside) {
                let shown = path.display();
                return Err(format!("{key} = \"{shown}\": write a path within the manifest's own folder"));
            }
        }
        Ok(())
    }

    /// The handler's name, if it is written; else its folder's is meant.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What this version is called, if it is written.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// A sentence for people.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The component's path from the manifest's folder; else the one `.wasm` file there is meant.
    pub fn component(&self) -> Option<&Path> {
        self.component.as_deref()
    }

    /// The path of the input's schema from the manifest's folder.
    pub fn input_schema(&self) -> Option<&Path> {
        self.input_schema.as_deref()
    }

    /// The path of the output's schema from the manifest's folder.
    pub fn output_schema(&self) -> Option<&Path> {
        self.output_schema.as_deref()
    }

    /// The path of the configuration's schema from the manifest's folder.
    pub fn config_schema(&self) -> Option<&Path> {
        self.config_schema.as_deref()
    }

    /// Whether results must fit the output's schema.
    pub fn validate_output(&self) -> bool {
        self.validate_output
    }

    /// What it asks for.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The keys of `[grants]` that are written at all: `http = []` says "I know, and go without".
    pub fn mentions(&self) -> &BTreeSet<String> {
        &self.mentions
    }

    /// The time an attempt may take, if it is written.
    pub(super) fn timeout(&self) -> Option<Span> {
        self.limits.timeout
    }

    /// What it comes to over the runner's settings, without its grants, which are not its own to give.
    pub(super) fn settings(&self, defaults: &HandlerSettings) -> Result<HandlerSettings, String> {
        let retry = &self.retry;
        let span = |given: Option<Span>, default| given.map_or(default, |span| span.0);
        let settings = HandlerSettings {
            limits: self.limits.apply(defaults.limits),
            retry: RetryPolicy {
                base: span(retry.base, defaults.retry.base),
                factor: retry.factor.unwrap_or(defaults.retry.factor),
                cap: span(retry.cap, defaults.retry.cap),
            },
            concurrency: self.concurrency.or(defaults.concurrency),
            fleet_concurrency: self.fleet_concurrency.or(defaults.fleet_concurrency),
            validate_output: self.validate_output || defaults.validate_output,
            waits_max: self.waits_max.unwrap_or(defaults.waits_max),
            grants: Grants::default(),
            config: Arc::default(),
        };
        settings.retry.check()?;
        self.limits.check()?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Limits;
    use std::time::Duration;

    fn settings(toml: &str) -> Result<HandlerSettings, String> {
        Manifest::parse(toml)?.settings(&HandlerSettings::default())
    }

    #[test]
    fn what_is_written_wins_over_the_runners_settings() {
        let text = "concurrency = 2\nwaits-max = 7\n[limits]\nfuel = 'unlimited'\ntimeout = '5m'\n\
            heartbeat-timeout = '3s'\nmemory = '1MiB'\n[retry]\nbase = '2s'";
        let settings = settings(text).unwrap();
        assert_eq!(settings.limits.wall_max, Duration::from_secs(300));
        assert_eq!(settings.limits.heartbeat_timeout, Some(Duration::from_secs(3)));
        assert_eq!((settings.limits.memory_bytes_max, settings.limits.fuel), (1 << 20, None));
        assert_eq!((settings.retry.base.as_secs(), settings.retry.factor), (2, 2.0));
        assert_eq!((settings.concurrency.map(NonZeroU32::get), settings.waits_max), (Some(2), 7));
    }

    #[test]
    fn nothing_written_changes_nothing() {
        let settings = settings("description = 'x'").unwrap();
        assert_eq!(settings.limits, Limits::default());
        assert_eq!((settings.grants, settings.concurrency), (Grants::default(), None));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let table = [
            ("concurency = 2", "unknown field `concurency`, did you mean `concurrency`?"),
            ("[limits]\nlog-line = 2", "did you mean `log-lines`?"),
            ("[retry]\nbas = '2s'", "did you mean `base`?"),
            ("[grants]\nqueues = ['a']", "did you mean `queue`?"),
            ("version = ''", "the version has 0 bytes"),
            ("version = \"a\\nb\"", "control character"),
            ("fleet-concurrency = 0", "nonzero"),
            ("validate-output = 1", "boolean"),
            ("concurrency = 0", "nonzero"),
            ("[grants]\nnetwork = true", "unknown field `network`"),
            ("[limits]\ntimeout = '0s'", "above zero"),
            ("[limits]\nfuel = '0'", "above zero"),
            ("[limits]\nmemry = '1GiB'", "unknown field `memry`"),
            ("[retry]\nfactor = 0.5", "factor"),
        ];
        for (toml, expected) in table {
            let error = settings(toml).unwrap_err();
            assert!(error.contains(expected), "{toml}: {error}");
        }
    }

    #[test]
    fn what_it_says_of_versions_files_and_the_fleet_is_read() {
        let text = "name = 'mail'\nversion = '1.2.0-rc1'\ndescription = 'd'\ncomponent = './build/mail.wasm'\n\
            fleet-concurrency = 9\ninput-schema = 'in.json'\noutput-schema = 'a/out.json'\n\
            config-schema = '..x/c.json'\nvalidate-output = true\n[grants]\nhttp = []\ncontext = false";
        let manifest = Manifest::parse(text).unwrap();
        let texts = (manifest.name(), manifest.version(), manifest.description());
        assert_eq!(texts, (Some("mail"), Some("1.2.0-rc1"), Some("d")));
        let path = |path: Option<&Path>| path.unwrap().to_str().unwrap().to_owned();
        assert_eq!(path(manifest.component()), "./build/mail.wasm");
        assert_eq!(path(manifest.input_schema()), "in.json");
        assert_eq!(
            (path(manifest.output_schema()), path(manifest.config_schema())),
            ("a/out.json".into(), "..x/c.json".into())
        );
        let settings = manifest.settings(&HandlerSettings::default()).unwrap();
        assert_eq!((settings.fleet_concurrency, settings.validate_output), (NonZeroU32::new(9), true));
        assert_eq!(manifest.mentions(), &["context", "http"].map(str::to_owned).into());
        assert!(manifest.grants().http.is_empty());
        assert!(Manifest::parse("").unwrap().mentions().is_empty());
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for key in ["component", "input-schema", "output-schema", "config-schema"] {
            for path in ["", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "./..", "//x"] {
                let error = Manifest::parse(&format!("{key} = '{path}'")).unwrap_err();
                let within = error.starts_with(key) && error.contains("within the manifest's own folder");
                assert!(within, "{key} = {path}: {error}");
            }
            for path in ["x", "a/b", "./x", "..x", "a..b", ".hidden"] {
                assert!(Manifest::parse(&format!("{key} = '{path}'")).is_ok(), "{key} = {path}");
            }
        }
    }
}
