//! The fleet's worker: claims jobs, keeps their leases alive, runs each attempt in the sandbox, and
//! records how it ended. Only the runner sees both the store and the sandbox.

mod ahead;
mod attempt;
mod claim;
mod heartbeat;
mod leased;
mod listen;
mod recorder;
mod settings;
mod sync;

pub use settings::{RunnerBuilder, RunnerSettings, SettingsError};

use crate::catalog::{Catalog, Handler, StoredHandlers};
use crate::sandbox::{Control, Directive, Interruption};
use crate::store::RunnerVersion;
use crate::store::{Claimed, HandlerPlaces, SharedStore, StoreError};
use crate::telemetry::{self, EventKind, Events};
use ahead::Ahead;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

/// How long the end waits for interrupted attempts to be recorded before it leaves them to the reaper.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// A runner. Create it with [`Runner::builder`], then [`start`](Runner::start) it.
pub struct Runner {
    shared: Arc<Shared>,
    loops: Mutex<Vec<JoinHandle<()>>>,
}

/// How far a runner is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Claims and runs.
    Running,
    /// Claims no more; attempts may end by themselves.
    Draining,
    /// Attempts are interrupted and their jobs given back.
    Releasing,
    /// What is not recorded by now is left to the reaper.
    Over,
}

/// What the loops of one runner share.
struct Shared {
    store: SharedStore,
    catalog: Arc<Catalog>,
    stored: Option<Arc<StoredHandlers>>,
    settings: RunnerSettings,
    phase: watch::Sender<Phase>,
    events: Events,
    /// The runtime that it was started on, which the store's connections belong to.
    runtime: OnceLock<Handle>,
    /// Attempts from claim to record; their leases are kept alive.
    active: Mutex<HashMap<u64, Arc<Active>>>,
    /// How many there were.
    entered: AtomicU64,
    /// What is leased and has no place yet.
    ahead: Ahead,
    /// Whether the last claim left jobs because their handler has no place: one that ends makes one.
    kept_back: AtomicBool,
    /// Changes with every attempt that begins or ends.
    active_count: watch::Sender<usize>,
    /// Whether a claim may still bring attempts.
    claiming: watch::Sender<bool>,
    /// Ends the claim loop's pause: a job may be due.
    wake: Notify,
    /// Makes the catalog look at the database: handlers may have changed.
    sync: Notify,
    /// Makes the heartbeat loop look at its leases now: one may be cancelled.
    look: Notify,
    /// Cancels that were told of, so that none is missed while its job's claim is on the way.
    cancels: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    superseded: AtomicU64,
}

/// An attempt from claim to record.
#[derive(Debug)]
struct Active {
    job: Claimed,
    control: Control,
    /// Whether its cancel was seen, which its guest may have heard of before.
    cancelled: AtomicBool,
    /// When it was claimed.
    since: Instant,
}

/// An attempt's place in the set of active ones; it leaves however the attempt ends, a panic of ours included.
struct Entered {
    shared: Arc<Shared>,
    number: u64,
    active: Arc<Active>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.shared.leave(&[self.number]);
    }
}

impl Runner {
    /// A runner over this store, with FlowMonkey's defaults.
    pub fn builder(store: SharedStore) -> RunnerBuilder {
        RunnerBuilder::new(store)
    }

    fn new(builder: RunnerBuilder, catalog: Arc<Catalog>) -> Self {
        let RunnerBuilder { store, settings, events, stored, .. } = builder;
        let shared = Shared {
            store,
            catalog,
            stored,
            settings,
            events,
            phase: watch::Sender::new(Phase::Running),
            runtime: OnceLock::new(),
            active: Mutex::default(),
            entered: AtomicU64::new(0),
            ahead: Ahead::default(),
            kept_back: AtomicBool::new(false),
            active_count: watch::Sender::new(0),
            claiming: watch::Sender::new(false),
            wake: Notify::new(),
            sync: Notify::new(),
            look: Notify::new(),
            cancels: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            superseded: AtomicU64::new(0),
        };
        Runner { shared: Arc::new(shared), loops: Mutex::default() }
    }

    /// Begins to claim, on the Tokio runtime it is called from. A database that is away is waited
    /// for. Calling it twice changes nothing; a runner that was stopped stays stopped.
    pub fn start(&self) {
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        if !loops.is_empty() || self.shared.phase() > Phase::Running {
            return;
        }
        telemetry::runner_started(&self.shared.settings.runner_id, &self.shared.catalog.names());
        let _ = self.shared.runtime.set(Handle::current());
        // No bound of its own: there are never more than claims bring.
        let (recordings, received) = mpsc::unbounded_channel();
        self.shared.claiming.send_replace(true);
        loops.push(tokio::spawn(ahead::give_back_repeatedly(self.shared.clone(), recordings.clone())));
        loops.push(tokio::spawn(claim::claim_repeatedly(self.shared.clone(), recordings)));
        loops.push(tokio::spawn(heartbeat::beat_repeatedly(self.shared.clone())));
        loops.push(tokio::spawn(recorder::record_repeatedly(self.shared.clone(), received)));
        if let Some(stored) = self.shared.stored.clone() {
            loops.push(tokio::spawn(sync::sync_repeatedly(self.shared.clone(), stored)));
        }
        if !self.shared.settings.poll_only {
            loops.push(tokio::spawn(listen::listen_repeatedly(self.shared.clone())));
        }
    }

    /// Stops gracefully: claims no more, tells the guests to drain, waits for them up to the drain
    /// timeout, then interrupts the rest and gives their jobs back without costing them an attempt.
    /// Returns when everything is recorded, or when the database stayed away for too long; the reaper
    /// takes what is left then.
    pub async fn stop(&self) {
        self.advance(Phase::Draining);
        let drained = self.shared.idle_or(Phase::Releasing);
        let _ = tokio::time::timeout(self.shared.settings.drain_timeout, drained).await;
        self.advance(Phase::Releasing);
        let _ = tokio::time::timeout(RELEASE_TIMEOUT, self.shared.idle_or(Phase::Over)).await;
        let abandoned = self.active_count();
        self.advance(Phase::Over);
        let loops = std::mem::take(&mut *self.loops.lock().unwrap_or_else(PoisonError::into_inner));
        if loops.is_empty() {
            return;
        }
        for one in loops {
            let _ = one.await;
        }
        let withdrawn = self.shared.store.withdraw(&self.shared.settings.runner_id);
        let _ = tokio::time::timeout(Duration::from_secs(5), withdrawn).await;
        telemetry::runner_stopped(&self.shared.settings.runner_id, abandoned);
    }

    /// Cuts the draining of a [`stop`](Runner::stop) short: running attempts are interrupted now.
    pub fn release(&self) {
        self.advance(Phase::Releasing);
    }

    /// What happens to the jobs of this runner, as it happens.
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// The versions that should be active here and cannot be loaded. While there are any, the runner is degraded:
    /// what was there before them goes on, or their handlers' jobs stay pending.
    pub fn refused(&self) -> Vec<RunnerVersion> {
        self.shared.stored.as_ref().map(|stored| stored.refused()).unwrap_or_default()
    }

    /// Attempts under way.
    pub fn active_count(&self) -> usize {
        self.shared.active().len()
    }

    /// Jobs this runner completed since it was created.
    pub fn completed_count(&self) -> u64 {
        self.shared.completed.load(Ordering::Relaxed)
    }

    /// Jobs this runner failed for good since it was created.
    pub fn failed_count(&self) -> u64 {
        self.shared.failed.load(Ordering::Relaxed)
    }

    /// Outcomes that were dropped because the job belonged to another attempt by then.
    pub fn superseded_count(&self) -> u64 {
        self.shared.superseded.load(Ordering::Relaxed)
    }

    fn advance(&self, to: Phase) {
        let advanced = self.shared.phase.send_if_modified(|phase| {
            let forward = to > *phase;
            *phase = to.max(*phase);
            forward
        });
        if !advanced {
            return;
        }
        if to == Phase::Draining {
            telemetry::runner_draining(&self.shared.settings.runner_id, self.active_count());
        }
        self.shared.active().values().for_each(|active| obey(to, &active.control));
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Not stopped: the guests end with the loops, and the reaper takes their jobs.
        self.advance(Phase::Over);
        let loops = std::mem::take(&mut *self.loops.lock().unwrap_or_else(PoisonError::into_inner));
        loops.iter().for_each(JoinHandle::abort);
        self.shared.ahead.clear();
    }
}

/// What an attempt is told in each phase.
fn obey(phase: Phase, control: &Control) {
    match phase {
        Phase::Running => {}
        Phase::Draining => control.tell(Directive::Drain),
        Phase::Releasing | Phase::Over => control.interrupt(Interruption::Released),
    }
}

impl Shared {
    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until the runner is in this phase or a later one.
    async fn reached(&self, phase: Phase) {
        let mut receiver = self.phase.subscribe();
        // The sender lives in `self`, so this cannot fail before it is true.
        let _ = receiver.wait_for(|current| *current >= phase).await;
    }

    /// Waits until nothing is under way and nothing more can come, or the phase is reached.
    async fn idle_or(&self, phase: Phase) {
        let (mut claiming, mut active) = (self.claiming.subscribe(), self.active_count.subscribe());
        let idle = async {
            let _ = claiming.wait_for(|claiming| !claiming).await;
            let _ = active.wait_for(|count| *count == 0).await;
        };
        tokio::select! {
            () = idle => {}
            () = self.reached(phase) => {}
        }
    }

    /// Where the store's calls are made. Set before anything asks.
    fn runtime(&self) -> &Handle {
        self.runtime.get_or_init(Handle::current)
    }

    fn active(&self) -> MutexGuard<'_, HashMap<u64, Arc<Active>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters attempts, so that their leases are kept alive from now on.
    fn enter(self: &Arc<Self>, jobs: Vec<Claimed>) -> Vec<Entered> {
        let since = Instant::now();
        let first = self.entered.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        let attempt = |(job, number)| {
            let (control, cancelled) = (Control::default(), AtomicBool::new(false));
            let active = Arc::new(Active { job, control, cancelled, since });
            Entered { shared: self.clone(), number, active }
        };
        let entered: Vec<Entered> = jobs.into_iter().zip(first..).map(attempt).collect();
        let mut active = self.active();
        active.extend(entered.iter().map(|one| (one.number, one.active.clone())));
        self.active_count.send_replace(active.len());
        drop(active);
        for Entered { active, .. } in &entered {
            self.events.tell(
                EventKind::Claimed,
                &active.job.lease.job_id,
                &active.job.handler,
                active.job.attempt,
            );
            // After it is entered: a phase that begins now reaches it one way or the other.
            obey(self.phase(), &active.control);
        }
        entered
    }

    fn leave(&self, numbers: &[u64]) {
        let mut active = self.active();
        let before = active.len();
        for number in numbers {
            active.remove(number);
        }
        if active.len() == before {
            return;
        }
        self.active_count.send_replace(active.len());
        drop(active);
        // The place may be its handler's last, which no count of all attempts shows.
        if self.kept_back.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// How many more attempts of each handler may begin.
    fn places(&self) -> Vec<HandlerPlaces> {
        let handlers = self.catalog.handlers();
        let is_bounded = |handler: &Arc<Handler>| {
            handler.settings.concurrency.is_some() || handler.settings.fleet_concurrency.is_some()
        };
        let bounded = handlers.iter().any(is_bounded);
        self.kept_back.store(bounded, Ordering::SeqCst);
        let mut taken = HashMap::<String, u32>::new();
        if bounded {
            let active = self.active();
            active.values().for_each(|one| *taken.entry(one.job.handler.clone()).or_default() += 1);
        }
        let places = |handler: Arc<Handler>| {
            let taken = taken.get(&handler.name).copied().unwrap_or(0);
            HandlerPlaces {
                places: handler.settings.concurrency.map(|max| max.get().saturating_sub(taken)),
                handler: handler.name.clone(),
                fleet_max: handler.settings.fleet_concurrency.map(NonZeroU32::get),
            }
        };
        handlers.into_iter().map(places).collect()
    }
}

/// Speaks up when a store call begins to fail and when it works again, not every time between.
struct Outage {
    call: &'static str,
    failing: AtomicBool,
}

impl Outage {
    fn of(call: &'static str) -> Self {
        Outage { call, failing: AtomicBool::new(false) }
    }

    fn note<T>(&self, shared: &Shared, result: &Result<T, StoreError>) {
        let was_failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        let runner_id = &shared.settings.runner_id;
        match result {
            Err(why) if !was_failing => telemetry::store_failing(runner_id, self.call, why),
            Ok(_) if was_failing => telemetry::store_back(runner_id, self.call),
            _ => {}
        }
    }
}
