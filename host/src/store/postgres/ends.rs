//! Where the last claims ended. The jobs before are claimed, but their rows' former versions stand in the index until the
//! server's vacuum comes, once a minute: at fifty thousand jobs a second a claim that begins with the first job reads past
//! three million of them. So a claim of many begins where the last one ended. Now and then one is a look at all that is
//! due, which finds what came late: jobs that were due before others when their transaction ended, or that a rival
//! claimed in a transaction which failed.

use crate::store::{Claim, ClaimRequest, Claimed};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So long after a look there is the next: a job that came late waits so long, and for the claim under way.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Who claims fewer at once leaves little behind, and always has the very oldest.
pub(super) const JOBS_MIN: u32 = 64;
/// Of so many handlers and priorities; for each there is a stretch of the index, and the statement compares them all.
const STRETCHES_MAX: usize = 8;

/// The ends of one store's claims.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Changes when all is forgotten: what a claim brings that began before counts no more.
    generation: u64,
    /// When the last look was over.
    looked: Option<Instant>,
    /// By handler and priority: when the last job was due, and its id.
    last: BTreeMap<(String, i16), (i64, String)>,
}

/// Where one claim begins: lists of one length.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    generation: u64,
    pub(super) handlers: Vec<String>,
    pub(super) priorities: Vec<i32>,
    pub(super) due: Vec<i64>,
    pub(super) ids: Vec<String>,
}

impl Beginnings {
    /// Whether the claim sees all that is due.
    pub(super) fn is_look(&self) -> bool {
        self.ids.is_empty()
    }
}

impl State {
    fn forget(&mut self) {
        *self = State { generation: self.generation + 1, ..State::default() };
    }
}

impl Ends {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the next claim begins.
    pub(super) fn beginnings(&self, request: &ClaimRequest, now: Instant) -> Beginnings {
        let mut state = self.state();
        if state.looked.is_some_and(|looked| now.duration_since(looked) >= LOOK_INTERVAL) {
            state.forget();
        }
        let mut begin = Beginnings { generation: state.generation, ..Beginnings::default() };
        for ((handler, priority), (due, id)) in &state.last {
            if request.handlers.iter().any(|wanted| wanted.handler == *handler) {
                begin.handlers.push(handler.clone());
                begin.priorities.push(i32::from(*priority));
                begin.due.push(*due);
                begin.ids.push(id.clone());
            }
        }
        begin
    }

    /// A claim that sees all that is due.
    pub(super) fn look(&self) -> Beginnings {
        let mut state = self.state();
        state.forget();
        Beginnings { generation: state.generation, ..Beginnings::default() }
    }

    /// What a claim brought decides where the next one begins.
    pub(super) fn note(&self, begin: &Beginnings, claim: &Claim, now: Instant) {
        let mut state = self.state();
        if begin.generation != state.generation {
            return;
        }
        if !claim.more || claim.jobs.len() < JOBS_MIN as usize {
            state.forget();
            return;
        }
        if state.last.is_empty() {
            state.looked = Some(now);
        }
        for Claimed { handler, priority, run_at, lease, .. } in &claim.jobs {
            let stretch = (handler.clone(), *priority);
            if state.last.len() < STRETCHES_MAX || state.last.contains_key(&stretch) {
                state.last.insert(stretch, (*run_at, lease.job_id.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JsonText, Lease};
    use crate::store::HandlerPlaces;

    fn request(handler: &str) -> ClaimRequest {
        let places = HandlerPlaces { handler: handler.into(), places: None, fleet_max: None };
        let heartbeat_interval = Duration::from_secs(10);
        ClaimRequest { runner_id: "r".into(), handlers: vec![places], limit: 1000, heartbeat_interval }
    }

    /// Jobs of a handler, the last of which was due at `due`; and there are more.
    fn claim(handler: &str, due: i64) -> Claim {
        let job = |at: i64| Claimed {
            lease: Lease { job_id: format!("{at}"), instance_id: "i".into() },
            handler: handler.into(),
            input: JsonText::parse("1").expect("JSON"),
            attempt: 1,
            max_attempts: 3,
            waits: 0,
            resumed_with: None,
            retry: None,
            heartbeat_timeout: None,
            execution_id: None,
            step_id: None,
            checkpoint: None,
            claimed_at: 0,
            priority: 0,
            run_at: at,
            pinned_version: None,
        };
        Claim { jobs: (due - i64::from(JOBS_MIN) + 1..=due).map(job).collect(), more: true }
    }

    #[test]
    fn a_claim_begins_where_the_last_one_ended_until_it_is_time_to_look() {
        let (ends, start) = (Ends::default(), Instant::now());
        let look = ends.beginnings(&request("a"), start);
        assert!(look.is_look());
        // However long the look took.
        let looked = start + 4 * LOOK_INTERVAL;
        ends.note(&look, &claim("a", 1000), looked);
        let begin = ends.beginnings(&request("a"), looked);
        assert_eq!((begin.handlers, begin.priorities, begin.due), (vec!["a".into()], vec![0], vec![1000]));
        assert!(ends.beginnings(&request("b"), looked).is_look(), "another handler's end");
        let later = looked + LOOK_INTERVAL / 2;
        let begin = ends.beginnings(&request("a"), later);
        ends.note(&begin, &claim("a", 2000), later);
        assert_eq!(ends.beginnings(&request("a"), later).due, [2000]);
        assert!(ends.beginnings(&request("a"), looked + LOOK_INTERVAL).is_look(), "half an interval late");
    }

    #[test]
    fn what_began_before_a_look_does_not_move_it() {
        let (ends, now) = (Ends::default(), Instant::now());
        let late = ends.beginnings(&request("a"), now);
        let look = ends.look();
        ends.note(&late, &claim("a", 9000), now);
        assert!(ends.beginnings(&request("a"), now).is_look());
        ends.note(&look, &claim("a", 1000), now);
        assert_eq!(ends.beginnings(&request("a"), now).due, [1000]);
    }

    #[test]
    fn nothing_is_kept_of_small_claims_of_the_last_one_and_of_too_many_stretches() {
        let (ends, now) = (Ends::default(), Instant::now());
        let small = Claim { jobs: claim("a", 1000).jobs.split_off(1), more: true };
        for forgets in [small, Claim { more: false, ..claim("a", 1000) }] {
            let begin = ends.beginnings(&request("a"), now);
            ends.note(&begin, &claim("a", 500), now);
            let begin = ends.beginnings(&request("a"), now);
            assert!(!begin.is_look());
            ends.note(&begin, &forgets, now);
            assert!(ends.beginnings(&request("a"), now).is_look());
        }
        for handler in 0..=STRETCHES_MAX {
            let handler = handler.to_string();
            let begin = ends.beginnings(&request(&handler), now);
            ends.note(&begin, &claim(&handler, 1000), now);
        }
        assert!(!ends.beginnings(&request("0"), now).is_look());
        assert!(ends.beginnings(&request(&STRETCHES_MAX.to_string()), now).is_look());
    }
}
