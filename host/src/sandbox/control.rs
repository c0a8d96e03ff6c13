use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
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
pub struct Control {
    directive: Arc<AtomicU8>,
    interruption: watch::Sender<Option<Interruption>>,
    last_beat: Arc<Mutex<Instant>>,
    heartbeats: Arc<AtomicU64>,
}

impl Default for Control {
    fn default() -> Self {
        Control {
            directive: Arc::new(AtomicU8::new(0)),
            interruption: watch::Sender::new(None),
            last_beat: Arc::new(Mutex::new(Instant::now())),
            heartbeats: Arc::default(),
        }
    }
}

impl Control {
    /// Tells the guest what is wanted. `Cancel` is final: a later `Drain` does not take it back.
    pub fn tell(&self, directive: Directive) {
        self.directive.fetch_max(directive as u8, Ordering::SeqCst);
    }

    /// What the guest was last told.
    pub fn directive(&self) -> Directive {
        match self.directive.load(Ordering::SeqCst) {
            0 => Directive::Proceed,
            1 => Directive::Drain,
            _ => Directive::Cancel,
        }
    }

    /// Ends the attempt wherever it is. The first reason stands.
    pub fn interrupt(&self, reason: Interruption) {
        self.interruption.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(reason);
            first
        });
    }

    /// How often the guest has asked by `heartbeat`.
    pub fn heartbeats(&self) -> u64 {
        self.heartbeats.load(Ordering::Relaxed)
    }

    /// The guest asks.
    pub(super) fn heartbeat(&self) -> Directive {
        self.heartbeats.fetch_add(1, Ordering::Relaxed);
        self.beat();
        self.directive()
    }

    /// A sign of life of the guest, or of its beginning.
    pub(super) fn beat(&self) {
        *self.last_beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Ends once the guest was silent for so long; never without a bound.
    pub(super) async fn silent(&self, bound: Option<Duration>) {
        let Some(bound) = bound else { return std::future::pending().await };
        loop {
            let last = *self.last_beat.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut receiver = self.interruption.subscribe();
        let Ok(reason) = receiver.wait_for(Option::is_some).await else {
            return std::future::pending().await;
        };
        reason.unwrap_or(Interruption::Timeout)
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
