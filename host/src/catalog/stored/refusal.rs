use crate::store::VersionTag;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The first pause before a version that cannot be loaded is tried again; it doubles with each failure.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// What cannot be compiled may have cost a minute of a processor.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Why a version of a handler is not to be had here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {version} of the handler {handler} cannot be loaded: {why}")]
pub struct VersionFault {
    /// The handler.
    pub handler: String,
    /// The version.
    pub version: String,
    /// What is wrong with it.
    pub why: String,
    /// It is not worth asking again before.
    pub after: Duration,
}

/// A version that could not be loaded.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) digest: String,
    /// The code and the reason.
    pub(super) error: String,
    pub(super) retry_at: Instant,
    failures: u32,
}

/// Which component could not be loaded, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Why<'a> {
    pub(super) digest: &'a str,
    pub(super) error: &'a str,
}

/// What could not be loaded, and when to try again.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<(String, VersionTag), Refusal>);

impl Refusals {
    /// Takes note of a failure. Returns the pause before the next try.
    pub(super) fn add(&mut self, handler: &str, tag: &VersionTag, why: Why<'_>, now: Instant) -> Duration {
        let key = (handler.to_owned(), tag.clone());
        let failures = self.0.get(&key).map_or(0, |before| before.failures) + 1;
        let pause = PAUSE_MIN.saturating_mul(1 << (failures - 1).min(16)).min(PAUSE_MAX);
        let Why { digest, error } = why;
        let refusal =
            Refusal { digest: digest.to_owned(), error: error.to_owned(), retry_at: now + pause, failures };
        self.0.insert(key, refusal);
        pause
    }

    pub(super) fn get(&self, handler: &str, tag: &VersionTag) -> Option<&Refusal> {
        self.0.get(&(handler.to_owned(), tag.clone()))
    }

    /// Why it is not tried now, and for how long.
    pub(super) fn standing(
        &self,
        handler: &str,
        tag: &VersionTag,
        now: Instant,
    ) -> Option<(String, Duration)> {
        let refusal = self.get(handler, tag)?;
        let left = refusal.retry_at.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some((refusal.error.clone(), left))
    }

    /// It could be loaded after all.
    pub(super) fn forgive(&mut self, handler: &str, tag: &VersionTag) {
        self.0.remove(&(handler.to_owned(), tag.clone()));
    }

    /// Forgets what nobody wants, once its pause is over: a job that names it must not have it tried at once.
    pub(super) fn retain(&mut self, now: Instant, is_wanted: impl Fn(&str, &VersionTag) -> bool) {
        self.0.retain(|(handler, tag), refusal| refusal.retry_at > now || is_wanted(handler, tag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHY: Why<'_> = Why { digest: "d", error: "why" };

    #[test]
    fn each_failure_doubles_the_pause_up_to_a_bound() {
        let tag = VersionTag { version: "1".into(), pushed_at: 5 };
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        let pauses: Vec<u64> = (0..12).map(|_| refusals.add("h", &tag, WHY, now).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
        assert!(refusals.standing("h", &tag, now).is_some());
        assert!(refusals.standing("h", &tag, now + PAUSE_MAX).is_none());
        refusals.retain(now, |_, _| false);
        assert!(refusals.get("h", &tag).is_some(), "its pause is not over");
        refusals.retain(now + PAUSE_MAX, |_, _| true);
        assert!(refusals.get("h", &tag).is_some(), "it is wanted");
        refusals.forgive("h", &tag);
        assert_eq!(refusals.add("h", &tag, WHY, now), PAUSE_MIN);
    }
}
