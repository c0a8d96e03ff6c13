use super::{InvalidJob, START_MS_MAX};

/// For how long something is remembered: a time of 1 ms to ten years, or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep(Option<i64>);

impl Keep {
    /// Until somebody deletes it.
    pub const FOR_GOOD: Keep = Keep(None);

    /// For so many milliseconds.
    ///
    /// # Errors
    /// [`InvalidJob`] names the bounds.
    pub fn millis(ms: u64) -> Result<Self, InvalidJob> {
        let fits = i64::try_from(ms).ok().filter(|ms| (1..=START_MS_MAX).contains(ms));
        let invalid = || InvalidJob(format!("a time of {ms} ms is not between 1 ms and ten years"));
        fits.map(|ms| Keep(Some(ms))).ok_or_else(invalid)
    }

    /// The milliseconds; `None` is for good.
    pub fn ms(self) -> Option<i64> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_between_a_millisecond_and_ten_years() {
        let most = START_MS_MAX as u64;
        for ms in [1, 60_000, most] {
            assert_eq!(Keep::millis(ms).map(Keep::ms), Ok(Some(ms as i64)));
        }
        for ms in [0, most + 1, i64::MAX as u64, u64::MAX] {
            assert!(Keep::millis(ms).is_err(), "{ms}");
        }
        assert_eq!(Keep::FOR_GOOD.ms(), None);
    }
}
