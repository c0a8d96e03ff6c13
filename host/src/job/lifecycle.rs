//! The table of DESIGN section 5 as one function: which state follows which event, and which events a
//! state does not allow. Both stores do the same in SQL, where it must be one statement; the conformance
//! suite and the property test hold them to this.

use super::{Status, Transition, Wake, reap};

/// As much of a job as the table hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Where the job is in its life.
    pub status: Status,
    /// How many attempts were begun and not refunded.
    pub attempts: u32,
    /// How many attempts the job has in all.
    pub max_attempts: u32,
    /// How often its handler asked to wait.
    pub waits: u32,
    /// What it waits for while it is pending.
    pub waiting: Waits,
}

/// What a pending job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// Nothing but a runner, and a retry's pause.
    No,
    /// A time that its handler named, or a resume.
    ForTime,
    /// A resume alone.
    ForSignal,
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A runner takes it. That it is due is the caller's affair.
    Claim,
    /// The runner that holds its lease records how the attempt ended.
    Record(&'a Transition),
    /// Its heartbeat is too old, or it is pending and has no attempt left.
    Reap,
    /// Somebody calls it off.
    Cancel,
    /// An operator wants it again, from the start.
    Retry,
    /// What it waits for has happened.
    Resume,
}

impl State {
    /// A job that was just created.
    pub fn created(max_attempts: u32) -> Self {
        State { status: Status::Pending, attempts: 0, max_attempts, waits: 0, waiting: Waits::No }
    }
}

/// The state after the event, or `None` where the table has no such row: then nothing changes.
pub fn next(state: &State, event: Event<'_>) -> Option<State> {
    use Status::{Cancelled, Failed, Pending, Running};
    let to = |status| State { status, waiting: Waits::No, ..*state };
    match (state.status, event) {
        (Pending, Event::Claim) if state.attempts < state.max_attempts && !state.needs_signal() => {
            Some(State { attempts: state.attempts + 1, ..to(Running) })
        }
        (Running, Event::Record(transition)) => Some(recorded(state, transition)),
        // Left behind by a client that gave the job back without a look at its attempts.
        (Pending, Event::Reap) if state.attempts >= state.max_attempts => Some(to(Failed)),
        (Running, Event::Reap) => Some(recorded(state, &reap(state.attempts, state.max_attempts))),
        (Pending | Running, Event::Cancel) => Some(to(Cancelled)),
        (Failed | Cancelled, Event::Retry) => Some(State { attempts: 0, waits: 0, ..to(Pending) }),
        (Pending, Event::Resume) if state.waiting != Waits::No => Some(to(Pending)),
        _ => None,
    }
}

impl State {
    fn needs_signal(&self) -> bool {
        self.waiting == Waits::ForSignal
    }
}

fn recorded(state: &State, transition: &Transition) -> State {
    let status = transition.leads_to();
    let refunded = state.attempts.saturating_sub(1);
    let ended = State { status, waiting: Waits::No, ..*state };
    match transition {
        Transition::Complete(_) | Transition::Retry { .. } | Transition::Fail(_) => ended,
        Transition::Release | Transition::Postpone { .. } => State { attempts: refunded, ..ended },
        Transition::Wait { until, .. } => {
            let waiting = if matches!(until, Wake::Signal(_)) { Waits::ForSignal } else { Waits::ForTime };
            State { attempts: refunded, waits: state.waits + 1, waiting, ..ended }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{ErrorCode, JobError};
    use Status::{Cancelled, Completed, Failed, Pending, Running};
    use std::time::Duration;

    fn state(status: Status, attempts: u32, waits: u32, waiting: Waits) -> State {
        State { status, attempts, max_attempts: 3, waits, waiting }
    }

    fn wait(until: Wake) -> Transition {
        Transition::Wait { until, reason: None }
    }

    #[test]
    fn each_row_of_the_table_leads_where_it_says() {
        use Waits::{ForSignal, ForTime, No};
        let error = || JobError::host(ErrorCode::Trap, "x");
        let retry = Transition::Retry { after: Duration::ZERO, error: error() };
        let (complete, fail) = (Transition::Complete(None), Transition::Fail(error()));
        let (signal, time) = (wait(Wake::Signal("s".into())), wait(Wake::After(Duration::ZERO)));
        let release = Transition::Release;
        // from (status, attempts, waits, waiting) by event to the same
        let table = [
            ((Pending, 0, 0, No), Event::Claim, (Running, 1, 0, No)),
            ((Pending, 2, 4, ForTime), Event::Claim, (Running, 3, 4, No)),
            ((Running, 1, 0, No), Event::Record(&complete), (Completed, 1, 0, No)),
            ((Running, 1, 0, No), Event::Record(&retry), (Pending, 1, 0, No)),
            ((Running, 3, 2, No), Event::Record(&fail), (Failed, 3, 2, No)),
            ((Running, 2, 1, No), Event::Record(&time), (Pending, 1, 2, ForTime)),
            ((Running, 1, 0, No), Event::Record(&signal), (Pending, 0, 1, ForSignal)),
            ((Running, 2, 1, No), Event::Record(&release), (Pending, 1, 1, No)),
            ((Running, 2, 0, No), Event::Reap, (Pending, 2, 0, No)),
            ((Running, 3, 0, No), Event::Reap, (Failed, 3, 0, No)),
            ((Pending, 3, 0, No), Event::Reap, (Failed, 3, 0, No)),
            ((Pending, 1, 1, ForSignal), Event::Cancel, (Cancelled, 1, 1, No)),
            ((Running, 1, 0, No), Event::Cancel, (Cancelled, 1, 0, No)),
            ((Failed, 3, 2, No), Event::Retry, (Pending, 0, 0, No)),
            ((Cancelled, 1, 1, No), Event::Retry, (Pending, 0, 0, No)),
            ((Pending, 0, 1, ForSignal), Event::Resume, (Pending, 0, 1, No)),
            ((Pending, 0, 1, ForTime), Event::Resume, (Pending, 0, 1, No)),
        ];
        for ((status, attempts, waits, waiting), event, to) in table {
            let from = state(status, attempts, waits, waiting);
            assert_eq!(next(&from, event), Some(state(to.0, to.1, to.2, to.3)), "{from:?} {event:?}");
        }
    }

    /// What the table does not name does not happen.
    #[test]
    fn every_other_pair_changes_nothing() {
        use Waits::{ForSignal, No};
        let complete = Transition::Complete(None);
        let allowed = |status, event: &Event<'_>| {
            matches!(
                (status, event),
                (Pending, Event::Claim | Event::Cancel)
                    | (Running, Event::Record(_) | Event::Reap | Event::Cancel)
                    | (Failed | Cancelled, Event::Retry)
            )
        };
        let events =
            [Event::Claim, Event::Record(&complete), Event::Reap, Event::Cancel, Event::Retry, Event::Resume];
        for status in Status::ALL {
            for event in events {
                let from = state(status, 1, 0, No);
                assert_eq!(next(&from, event).is_some(), allowed(status, &event), "{status} {event:?}");
            }
        }
        assert_eq!(next(&state(Pending, 3, 0, No), Event::Claim), None, "no attempt is left");
        assert_eq!(next(&state(Pending, 0, 1, ForSignal), Event::Claim), None, "it is not due");
    }
}
