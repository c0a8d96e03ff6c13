//! Jobs that are leased and wait for a place: a claim brings more of them than there are places, as long as each
//! begins a moment later. Their leases are kept alive like those of attempts, and they are given back when the
//! runner stops or their turn does not come.

use super::recorder::{Finished, Recordings};
use super::{Active, Entered, Phase, Shared, attempt};
use crate::sandbox::Directive;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A job may wait so long here. If one waited longer, the next claims bring fewer.
const WAIT_GOAL: Duration = Duration::from_millis(20);
/// A job that waited so long is given back: the attempts before it take longer than those that made the runner
/// lease it. Another runner may have a place.
const WAIT_MAX: Duration = Duration::from_secs(1);
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// The first step away from leasing none ahead.
const TARGET_MIN: u32 = 16;
/// After so long a worker lets others have its thread.
const TURN: Duration = Duration::from_millis(1);

/// What waits, and how much may.
#[derive(Default)]
pub(super) struct Ahead {
    state: Mutex<State>,
    /// Fewer wait, or a place is free.
    room: Notify,
}

#[derive(Default)]
struct State {
    /// In the order in which they begin: by priority, then by when they were due, then as they came.
    jobs: BTreeMap<(i16, i64, u64), Entered>,
    /// Places that are taken: each is a worker, which runs one attempt after the other.
    workers: u32,
    /// How many may wait.
    target: u32,
    /// The longest wait since the last claim.
    longest: Duration,
}

impl Ahead {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many jobs the next claim may bring: 0 while enough wait. Few wait for long where attempts are long; many
    /// where places stay empty although there is `more` to do.
    pub(super) fn room(&self, places: u32, target_max: u32, more: bool) -> u32 {
        let mut state = self.state();
        let waiting = state.jobs.len() as u32;
        let longest = std::mem::take(&mut state.longest);
        if longest > WAIT_GOAL {
            state.target /= 2;
        } else if more && waiting == 0 && state.workers < places {
            state.target = (state.target * 2).max(TARGET_MIN);
        }
        state.target = state.target.min(target_max);
        // Below half of it, so that one claim brings many.
        if waiting > state.target / 2 {
            return 0;
        }
        (places + state.target).saturating_sub(state.workers + waiting)
    }

    /// Ends when there may be room.
    pub(super) async fn room_changed(&self) {
        self.room.notified().await;
    }

    /// Takes jobs in. Returns how many workers are to begin.
    fn put(&self, jobs: Vec<Entered>, places: u32) -> u32 {
        let mut state = self.state();
        let begin = places.saturating_sub(state.workers).min(jobs.len() as u32);
        state.workers += begin;
        for one in jobs {
            let job = &one.active.job;
            state.jobs.insert((job.priority, job.run_at, one.number), one);
        }
        begin
    }

    /// The next job, or none: then the worker that asked is counted out.
    fn next(&self) -> Option<Entered> {
        let mut state = self.state();
        let next = state.jobs.pop_first().map(|(_, job)| job);
        match &next {
            Some(job) => state.longest = state.longest.max(job.active.since.elapsed()),
            None => state.workers -= 1,
        }
        if state.jobs.len() as u32 <= state.target / 2 {
            self.room.notify_one();
        }
        next
    }

    /// What has waited for longer than this; then none wait for a while.
    fn overdue(&self, longer_than: Duration) -> Vec<Entered> {
        let mut state = self.state();
        let overdue = state.jobs.extract_if(.., |_, job| job.active.since.elapsed() >= longer_than);
        let overdue: Vec<Entered> = overdue.map(|(_, job)| job).collect();
        if !overdue.is_empty() {
            state.target = 0;
        }
        overdue
    }

    /// Lets go of everything: the leases are not kept alive any more.
    pub(super) fn clear(&self) {
        let jobs = std::mem::take(&mut self.state().jobs);
        // Each leaves its runner, which must not find this locked.
        drop(jobs);
    }
}

/// Jobs that were claimed: as many as there are places begin.
pub(super) fn begin(shared: &Arc<Shared>, jobs: Vec<Entered>, recordings: &Recordings) {
    let begin = shared.ahead.put(jobs, shared.settings.max_concurrent.get());
    for _ in 0..begin {
        let worker = Worker { shared: shared.clone(), recordings: recordings.clone(), counted: true };
        // Without a sandbox it is dropped, which counts it out.
        let _ = shared.catalog.sandbox().spawn(worker.work());
    }
}

/// One place.
struct Worker {
    shared: Arc<Shared>,
    recordings: Recordings,
    counted: bool,
}

impl Worker {
    async fn work(mut self) {
        let sandbox = self.shared.catalog.sandbox().clone();
        let mut seat = sandbox.seat().await;
        let mut begun = Instant::now();
        // No seat while the sandbox goes away.
        while let Some(taken) = &seat
            && let Some(entered) = self.shared.ahead.next()
        {
            attempt::run(&self.shared, entered, &self.recordings, taken).await;
            if begun.elapsed() >= TURN {
                // Others may wait for a seat, if the sandbox is not this runner's alone.
                drop(seat);
                tokio::task::yield_now().await;
                seat = sandbox.seat().await;
                begun = Instant::now();
            }
        }
        // For want of jobs, which counted it out.
        self.counted = seat.is_none();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It ended otherwise than for want of jobs.
        if self.counted {
            self.shared.ahead.state().workers -= 1;
            self.shared.ahead.room.notify_one();
        }
    }
}

/// Whether an attempt should not even begin.
pub(super) fn is_off(active: &Active) -> bool {
    active.control.interruption().is_some() || active.control.directive() == Directive::Cancel
}

/// Gives back what waits too long until the runner stops, and then all that waits.
pub(super) async fn give_back_repeatedly(shared: Arc<Shared>, recordings: Recordings) {
    loop {
        tokio::select! {
            () = shared.reached(Phase::Draining) => break,
            () = tokio::time::sleep(LOOK_INTERVAL) => give_back(&shared, WAIT_MAX, &recordings),
        }
    }
    give_back(&shared, Duration::ZERO, &recordings);
}

/// Gives back what has waited for so long, at no cost of an attempt.
pub(super) fn give_back(shared: &Shared, waited: Duration, recordings: &Recordings) {
    for entered in shared.ahead.overdue(waited) {
        // The recorder is gone only when the runner is over; then it is the reaper's.
        let _ = recordings.send(Finished::released(entered));
    }
}
