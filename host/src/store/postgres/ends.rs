//! Where the last claims ended. The jobs before are claimed, but their rows' former versions stand in the index until the
//! server's vacuum comes, once a minute: at fifty thousand jobs a second a claim that begins with the first job reads past
//! three million of them. So a claim begins where the last one ended, but for one now and then, which finds what came
//! late: jobs that were given back, and those whose transaction was slow.

use crate::store::{Claim, Claimed};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After so long a claim begins with the first job again: a job that came late waits so long for younger ones.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Who claims fewer at once leaves little behind, and always has the very oldest.
const JOBS_MIN: usize = 64;
/// Of so many handlers and priorities; for each there is a stretch of the index, and the statement compares them all.
const STRETCHES_MAX: usize = 8;

/// The ends of one store's claims.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When a claim began with the first job.
    looked: Option<Instant>,
    /// By handler and priority: when the last job was due, and its id.
    last: BTreeMap<(String, i16), (i64, String)>,
}

/// Where one claim begins: lists of one length.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    pub(super) handlers: Vec<String>,
    pub(super) priorities: Vec<i32>,
    pub(super) due: Vec<i64>,
    pub(super) ids: Vec<String>,
}

impl Beginnings {
    /// Whether the claim sees all jobs.
    pub(super) fn is_first(&self) -> bool {
        self.ids.is_empty()
    }
}

impl Ends {
    /// Where the next claim begins.
    pub(super) fn beginnings(&self) -> Beginnings {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.is_none_or(|looked| looked.elapsed() >= LOOK_INTERVAL) {
            *state = State { looked: Some(Instant::now()), last: BTreeMap::new() };
        }
        let mut beginnings = Beginnings::default();
        for ((handler, priority), (due, id)) in &state.last {
            beginnings.handlers.push(handler.clone());
            beginnings.priorities.push(i32::from(*priority));
            beginnings.due.push(*due);
            beginnings.ids.push(id.clone());
        }
        beginnings
    }

    /// What the claim took, and whether there is more, decides where the next one begins.
    pub(super) fn note(&self, claim: &Claim) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !claim.more || claim.jobs.len() < JOBS_MIN {
            *state = State::default();
            return;
        }
        for Claimed { handler, priority, run_at, lease, .. } in &claim.jobs {
            let stretch = (handler.clone(), *priority);
            if state.last.len() < STRETCHES_MAX || state.last.contains_key(&stretch) {
                state.last.insert(stretch, (*run_at, lease.job_id.clone()));
            }
        }
    }
}
