use super::HandlerSettings;
use super::limits::WrittenLimits;
use crate::job::RetryPolicy;
use crate::sandbox::Grants;
use crate::units::Span;
use std::num::NonZeroU32;
use std::sync::Arc;

/// The file beside a handler's code that says what it may use. What is absent takes the runner's settings.
pub(super) const FILE_NAME: &str = "handler.toml";
/// A larger one is a mistake, or an attempt to fill memory.
pub(super) const BYTES_MAX: usize = 64 * 1024;

/// `handler.toml` as it is written; unknown keys are errors.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Manifest {
    /// The handler's name; else its folder's.
    pub(super) name: Option<String>,
    /// For people.
    description: Option<String>,
    concurrency: Option<NonZeroU32>,
    waits_max: Option<u32>,
    limits: WrittenLimits,
    retry: ManifestRetry,
    /// What it asks for.
    pub(super) grants: Grants,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct ManifestRetry {
    base: Option<Span>,
    factor: Option<f64>,
    cap: Option<Span>,
}

impl Manifest {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
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
            ("concurency = 2", "unknown field `concurency`"),
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
}
