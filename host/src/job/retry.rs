use std::time::Duration;

/// The longest pause a handler may ask for before its next attempt.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a failed attempt waits for the next.
///
/// The pause before attempt n + 1 is drawn evenly from 0 to `min(cap, base × factor^(n−1))`: "full
/// jitter", which spreads a crowd of failures best (Brooker, "Exponential Backoff And Jitter",
/// 2015).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// The bound after the first attempt.
    pub base: Duration,
    /// How the bound grows with each attempt; at least 1.
    pub factor: f64,
    /// What the bound never exceeds.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy { base: Duration::from_secs(1), factor: 2.0, cap: Duration::from_secs(3600) }
    }
}

impl RetryPolicy {
    /// The longest the pause after this attempt can be; the first attempt is 1.
    pub fn bound(&self, attempt: u32) -> Duration {
        let exponent = attempt.saturating_sub(1).min(1024) as i32;
        let seconds = self.base.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        // Not `Duration::from_secs_f64`: that panics on infinity, which a large exponent reaches.
        if seconds >= self.cap.as_secs_f64() { self.cap } else { Duration::from_secs_f64(seconds) }
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
    fn a_factor_below_one_does_not_shrink_the_pause() {
        let policy = RetryPolicy { factor: 0.1, ..RetryPolicy::default() };
        assert_eq!(policy.bound(9), policy.base);
    }
}
