use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::watch;

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
}

impl Default for Control {
    fn default() -> Self {
        Control { directive: Arc::new(AtomicU8::new(0)), interruption: watch::Sender::new(None) }
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
