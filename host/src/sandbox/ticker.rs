use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;
use wasmtime::{Engine, EngineWeak};

/// How often a computing guest yields. Two threads give each of fifty spinning guests a turn within
/// 25 of these.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// It goes on for so long after the last attempt, since waking it costs more than some attempts do.
const IDLE_TICKS_MAX: u32 = 100;

/// An OS thread that bumps the engines' epochs while attempts are under way. Not a Tokio timer: guests
/// that keep Tokio's threads busy must not be able to stop it.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    attempts: AtomicUsize,
    parked: AtomicBool,
    engines: Mutex<Vec<EngineWeak>>,
}

/// Held by an attempt for as long as it may compute.
#[derive(Debug)]
pub(super) struct Busy(Arc<Shared>);

impl Ticker {
    pub(super) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let watched = Arc::downgrade(&shared);
        let thread =
            std::thread::Builder::new().name("epoch".into()).spawn(move || tick(&watched))?.thread().clone();
        Ok(Ticker { shared, thread })
    }

    /// Bumps this engine's epoch too.
    pub(super) fn watch(&self, engine: &Engine) {
        self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
    }

    pub(super) fn busy(&self) -> Busy {
        self.shared.attempts.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Busy(self.shared.clone())
    }
}

impl Shared {
    fn bump(&self) {
        let engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.iter().filter_map(EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.attempts.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

/// Ends when the ticker and all attempts are gone.
fn tick(watched: &Weak<Shared>) {
    let mut idle_ticks = 0;
    while let Some(shared) = watched.upgrade() {
        let idle = shared.attempts.load(Ordering::SeqCst) == 0;
        idle_ticks = if idle { idle_ticks + 1 } else { 0 };
        if idle_ticks < IDLE_TICKS_MAX {
            shared.bump();
            drop(shared);
            std::thread::sleep(TICK);
            continue;
        }
        shared.parked.store(true, Ordering::SeqCst);
        // An attempt that began before that line did not see it, so look once more.
        let idle = shared.attempts.load(Ordering::SeqCst) == 0;
        drop(shared);
        if idle {
            // Whoever makes it busy, or drops the ticker, unparks; the timeout covers the moment between
            // an upgrade here and the last drop elsewhere.
            std::thread::park_timeout(Duration::from_secs(1));
        }
        if let Some(shared) = watched.upgrade() {
            shared.parked.store(false, Ordering::SeqCst);
        }
    }
}
