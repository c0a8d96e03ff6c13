use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// What the host wants of a running guest; it hears of it when it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// Go on.
    Proceed,
    /// The runner is stopping.
    Drain,
    /// The job is not this attempt's any more.
    Cancel,
}

/// Why the host ends an attempt that would go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// The wall clock ran out.
    Timeout,
    /// The guest gave no sign of life for longer than its heartbeat timeout.
    Silent,
    /// The job was cancelled, or belongs to another attempt. The outcome will not be kept.
    LeaseLost,
    /// The runner stops and the drain time is over. The attempt does not count.
    Released,
}

/// The line to one attempt; cheap to clone. A directive asks, an interruption ends.
#[derive(Debug, Clone)]
pub struct Control(Arc<Line>);

#[derive(Debug)]
struct Line {
    directive: AtomicU8,
    /// 0 is none; see [`Interruption::from_code`].
    interruption: AtomicU8,
    interrupted: Notify,
    last_beat: Mutex<Instant>,
    heartbeats: AtomicU64,
}

impl Default for Control {
    fn default() -> Self {
        Control(Arc::new(Line {
            directive: AtomicU8::new(0),
            interruption: AtomicU8::new(0),
            interrupted: Notify::new(),
            last_beat: Mutex::new(Instant::now()),
            heartbeats: AtomicU64::new(0),
        }))
    }
}

impl Interruption {
    fn code(self) -> u8 {
        match self {
            Interruption::Timeout => 1,
            Interruption::Silent => 2,
            Interruption::LeaseLost => 3,
            Interruption::Released => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        use Interruption::{LeaseLost, Released, Silent, Timeout};
        [Timeout, Silent, LeaseLost, Released].into_iter().find(|one| one.code() == code)
    }
}

impl Control {
    /// Tells the guest what is wanted. `Cancel` is final: a later `Drain` does not take it back.
    pub fn tell(&self, directive: Directive) {
        self.0.directive.fetch_max(directive as u8, Ordering::SeqCst);
    }

    /// What the guest was last told.
    pub fn directive(&self) -> Directive {
        match self.0.directive.load(Ordering::SeqCst) {
            0 => Directive::Proceed,
            1 => Directive::Drain,
            _ => Directive::Cancel,
        }
    }

    /// Ends the attempt wherever it is. The first reason stands.
    pub fn interrupt(&self, reason: Interruption) {
        let code = reason.code();
        if self.0.interruption.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.0.interrupted.notify_waiters();
        }
    }

    /// Why the attempt is to end, if it is.
    pub fn interruption(&self) -> Option<Interruption> {
        Interruption::from_code(self.0.interruption.load(Ordering::SeqCst))
    }

    /// How often the guest has asked by `heartbeat`.
    pub fn heartbeats(&self) -> u64 {
        self.0.heartbeats.load(Ordering::Relaxed)
    }

    /// The guest asks.
    pub(super) fn heartbeat(&self) -> Directive {
        self.0.heartbeats.fetch_add(1, Ordering::Relaxed);
        self.beat();
        self.directive()
    }

    /// A sign of life of the guest, or of its beginning.
    pub(super) fn beat(&self) {
        *self.0.last_beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Ends once the guest was silent for so long; never without a bound.
    pub(super) async fn silent(&self, bound: Option<Duration>) {
        let Some(bound) = bound else { return std::future::pending().await };
        loop {
            let last = *self.0.last_beat.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() >= bound {
                return;
            }
            match last.checked_add(bound) {
                Some(end) => sleep_until(end).await,
                None => return std::future::pending().await,
            }
        }
    }

    /// Ends once the attempt is interrupted.
    pub(super) async fn interrupted(&self) -> Interruption {
        loop {
            // It hears what comes after this line, so nothing is missed between the look and the wait.
            let told = self.0.interrupted.notified();
            if let Some(reason) = self.interruption() {
                return reason;
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancel_outranks_drain() {
        let control = Control::default();
        assert_eq!(control.directive(), Directive::Proceed);
        control.tell(Directive::Cancel);
        control.tell(Directive::Drain);
        assert_eq!(control.directive(), Directive::Cancel);
    }

    #[tokio::test]
    async fn the_first_interruption_stands() {
        let control = Control::default();
        control.interrupt(Interruption::LeaseLost);
        control.interrupt(Interruption::Released);
        assert_eq!(control.interrupted().await, Interruption::LeaseLost);
    }
}
