//! What every attempt touches, once for each of the guests' threads: the pools' locks and counters, and the counts of
//! who uses a component, would otherwise go from one processor's cache to the other's many times an attempt.

use super::SandboxConfig;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads beyond so many share lanes.
const LANES_MAX: u32 = 8;
/// A pool has room for all attempts, wherever they begin, and reserves address space for them: 16 GiB an attempt.
/// All lanes together have so many places, or one lane has as many as it must.
const PLACES_MAX: u32 = 1024;

thread_local! {
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// One of each for each lane; at least one.
#[derive(Debug)]
pub(super) struct Lanes<T>(Arc<[T]>);

impl<T> Lanes<T> {
    /// # Errors
    /// The first of those that `make` returned.
    pub(super) fn of<U, E>(from: &[U], make: impl FnMut(&U) -> Result<T, E>) -> Result<Self, E> {
        from.iter().map(make).collect::<Result<_, _>>().map(Lanes)
    }

    /// # Errors
    /// The first of those that `make` returned.
    pub(super) fn with<U, V, E>(
        &self,
        others: &Lanes<U>,
        mut make: impl FnMut(&T, &U) -> Result<V, E>,
    ) -> Result<Lanes<V>, E> {
        let pairs = self.0.iter().zip(&*others.0);
        pairs.map(|(one, other)| make(one, other)).collect::<Result<_, _>>().map(Lanes)
    }

    /// This thread's. An attempt goes on with what it began with, also where another thread takes it over.
    pub(super) fn here(&self) -> &T {
        &self.0[LANE.get() % self.0.len()]
    }

    /// Where it makes no difference which.
    pub(super) fn first(&self) -> &T {
        &self.0[0]
    }

    pub(super) fn all(&self) -> &[T] {
        &self.0
    }
}

impl<T> Clone for Lanes<T> {
    fn clone(&self) -> Self {
        Lanes(self.0.clone())
    }
}

/// How many lanes a sandbox has.
pub(super) fn count(config: &SandboxConfig) -> u32 {
    let fit = PLACES_MAX / config.attempts_max.get();
    config.threads.get().min(LANES_MAX).min(fit.max(1))
}

/// Gives this thread the next lane.
pub(super) fn enter(next: &AtomicUsize) {
    LANE.set(next.fetch_add(1, Ordering::Relaxed));
}
