use std::time::Duration;

/// The longest pause a handler may ask for before its next attempt.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a failed attempt waits for the next.
///
/// The pause before attempt n + 1 is drawn evenly from 0 to `min(cap, base × factor^(n−1))`: "full
/// jitter", which spreads a crowd of failures best (Brooker, "Exponential Backoff And Jitter",
/// 2015).
///
/// As JSON: `{"base_ms": 1000, "factor": 2.0, "cap_ms": 3600000}`; what is absent has its default.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// The bound after the first attempt.
    #[serde(rename = "base_ms", with = "millis")]
    pub base: Duration,
    /// How the bound grows with each attempt; at least 1.
    pub factor: f64,
    /// What the bound never exceeds.
    #[serde(rename = "cap_ms", with = "millis")]
    pub cap: Duration,
}

/// Durations as milliseconds, the unit of every stored time.
mod millis {
    use std::time::Duration;

    pub(super) fn serialize<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        <u64 as serde::Deserialize>::deserialize(from).map(Duration::from_millis)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy { base: Duration::from_secs(1), factor: 2.0, cap: Duration::from_secs(3600) }
    }
}

impl RetryPolicy {
    /// Checks what the type cannot.
    ///
    /// # Errors
    /// Says which part is wrong and what it may be.
    pub fn check(&self) -> Result<(), String> {
        if !(1.0..=100.0).contains(&self.factor) {
            return Err(format!("the retry factor {} is not between 1 and 100", self.factor));
        }
        let max = RETRY_AFTER_MAX;
        if self.base > max || self.cap > max {
            return Err("the retry base and cap must be at most 30 days".into());
        }
        Ok(())
    }

    /// The longest the pause after this attempt can be; the first attempt is 1.
    pub fn bound(&self, attempt: u32) -> Duration {
        let exponent = attempt.saturating_sub(1).min(1024) as i32;
        let seconds = self.base.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        if self.base.is_zero() {
            return Duration::ZERO;
        }
        // Not `Duration::from_secs_f64` for all: that panics on infinity, which a large exponent reaches.
        if seconds < self.cap.as_secs_f64() { Duration::from_secs_f64(seconds) } else { self.cap }
    }

    /// The pause after this attempt, given a random number from 0 to 1.
    pub fn backoff(&self, attempt: u32, jitter: f64) -> Duration {
        self.bound(attempt).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let policy = RetryPolicy::default();
        let seconds: Vec<u64> = (0..=14).map(|n| policy.bound(n).as_secs()).collect();
        let expected = [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600];
        assert_eq!(seconds, expected);
        assert_eq!(policy.bound(u32::MAX), policy.cap);
    }

    #[test]
    fn jitter_picks_a_share_of_the_bound() {
        let policy = RetryPolicy::default();
        for (jitter, millis) in [(0.0, 0), (0.5, 2000), (1.0, 4000), (7.0, 4000), (-1.0, 0)] {
            assert_eq!(policy.backoff(3, jitter).as_millis(), millis, "jitter {jitter}");
        }
    }

    #[test]
    fn no_policy_makes_it_panic() {
        for (base, factor) in [(0, 100.0), (0, 1e300), (1, 1e300), (1, f64::INFINITY), (1, f64::NAN)] {
            let policy = RetryPolicy { base: Duration::from_secs(base), factor, ..RetryPolicy::default() };
            for attempt in [1, 3, 156, 1000, u32::MAX] {
                assert!(policy.backoff(attempt, 1.0) <= policy.cap, "{policy:?}");
            }
        }
    }

    #[test]
    fn a_factor_below_one_does_not_shrink_the_pause() {
        let policy = RetryPolicy { factor: 0.1, ..RetryPolicy::default() };
        assert_eq!(policy.bound(9), policy.base);
    }
}
