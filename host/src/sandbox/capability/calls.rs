use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::types::HostError;
use crate::sandbox::capability::HostFault;
use crate::sandbox::limits::Limits;
use std::time::{Duration, Instant};

/// What an attempt has asked of the database so far.
#[derive(Debug)]
pub(in crate::sandbox) struct Calls {
    rate: Rate,
    enqueues: Count,
    records: Count,
}

impl Calls {
    pub(in crate::sandbox) fn new(limits: &Limits) -> Self {
        Calls {
            rate: Rate::new(limits.store_calls_per_second, Instant::now()),
            enqueues: Count::new("jobs created", limits.enqueues_max),
            records: Count::new("idempotency keys recorded", limits.idempotency_records_max),
        }
    }
}

impl AttemptState {
    /// Counts a call that is about to reach the database.
    ///
    /// # Errors
    /// `limit-exceeded` when there were too many of late.
    pub(super) fn store_call(&mut self) -> Result<(), HostError> {
        self.calls.rate.admit(Instant::now())
    }

    /// As [`AttemptState::store_call`], for a job to be created.
    pub(super) fn enqueue_call(&mut self) -> Result<(), HostError> {
        self.calls.enqueues.check()?;
        self.store_call()
    }

    /// Notes what became of it.
    pub(super) fn enqueued<T>(&mut self, result: &Result<T, HostFault>) {
        self.calls.enqueues.note(result);
    }

    /// As [`AttemptState::store_call`], for an idempotency key to be recorded.
    pub(super) fn record_call(&mut self) -> Result<(), HostError> {
        self.calls.records.check()?;
        self.store_call()
    }

    /// Notes what became of it.
    pub(super) fn recorded<T>(&mut self, result: &Result<T, HostFault>) {
        self.calls.records.note(result);
    }
}

/// How often an attempt may do one thing.
#[derive(Debug)]
struct Count {
    what: &'static str,
    done: u32,
    max: u32,
}

impl Count {
    fn new(what: &'static str, max: u32) -> Self {
        Count { what, done: 0, max }
    }

    fn check(&self) -> Result<(), HostError> {
        let Count { what, done, max } = self;
        if done < max {
            return Ok(());
        }
        Err(HostError::LimitExceeded(format!("{done} {what} by this attempt, its limit is {max}")))
    }

    /// What may have been done counts: an answer that was lost must not be a way around the limit.
    fn note<T>(&mut self, result: &Result<T, HostFault>) {
        if result.as_ref().err().is_none_or(HostFault::may_be_done) {
            self.done += 1;
        }
    }
}

/// A bucket that holds one second's worth of calls and fills evenly. It is kept as the moment at which it
/// would be full again: each call moves that on by its share of a second, and it may not lie more than a
/// second ahead.
#[derive(Debug)]
struct Rate {
    per_second: u32,
    full_at: Instant,
}

impl Rate {
    fn new(per_second: u32, now: Instant) -> Self {
        Rate { per_second, full_at: now }
    }

    /// `now` comes from a clock that never goes back.
    fn admit(&mut self, now: Instant) -> Result<(), HostError> {
        const SECOND: Duration = Duration::from_secs(1);
        let full_at = SECOND.checked_div(self.per_second).map(|share| self.full_at.max(now) + share);
        match full_at {
            Some(full_at) if full_at <= now + SECOND => {
                self.full_at = full_at;
                Ok(())
            }
            _ => Err(HostError::LimitExceeded(format!(
                "more than {} calls a second that reach the database; pause, then go on",
                self.per_second
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(rate: &mut Rate, now: Instant, calls: u32) -> u32 {
        (0..calls).filter(|_| rate.admit(now).is_ok()).count() as u32
    }

    #[test]
    fn a_seconds_worth_may_come_at_once_and_no_more() {
        for per_second in [1, 2, 3, 7, 200, 300, 1000] {
            let start = Instant::now();
            let mut rate = Rate::new(per_second, start);
            assert_eq!(admitted(&mut rate, start, 2000), per_second);
            let refused = rate.admit(start);
            let names_the_limit =
                |why: &str| why.starts_with(&format!("more than {per_second} calls a second"));
            assert!(matches!(refused, Err(HostError::LimitExceeded(why)) if names_the_limit(&why)));
        }
    }

    #[test]
    fn it_fills_evenly_and_holds_no_more_than_a_second() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut rate = Rate::new(10, start);
        assert_eq!(admitted(&mut rate, start, 100), 10);
        assert_eq!(admitted(&mut rate, after(99), 100), 0);
        assert_eq!(admitted(&mut rate, after(100), 100), 1);
        assert_eq!(admitted(&mut rate, after(450), 100), 3);
        assert_eq!(admitted(&mut rate, after(60_000), 100), 10, "what was not used is not saved up");
        assert_eq!(admitted(&mut rate, after(60_050), 100), 0);
    }

    #[test]
    fn none_a_second_is_none() {
        let start = Instant::now();
        assert_eq!(admitted(&mut Rate::new(0, start), start + Duration::from_secs(9), 5), 0);
    }

    #[test]
    fn what_may_have_been_done_counts() {
        let mut count = Count::new("jobs created", 3);
        for fault in [
            HostFault::LeaseLost,
            HostFault::Denied("no".into()),
            HostFault::LimitExceeded("full".into()),
            HostFault::Invalid("odd".into()),
        ] {
            count.note::<()>(&Err(fault));
        }
        assert_eq!(count.done, 0);
        count.note(&Ok(()));
        count.note::<()>(&Err(HostFault::Unavailable("away".into())));
        assert!(count.check().is_ok());
        count.note::<()>(&Err(HostFault::Other("bug".into())));
        let refused = HostError::LimitExceeded("3 jobs created by this attempt, its limit is 3".into());
        assert_eq!(format!("{:?}", count.check()), format!("{:?}", Err::<(), _>(refused)));
    }
}
