use crate::given::{error, retry_at_once};
use flowmonkey_jobs::job::{Status, Transition, Wake};
use proptest::prelude::*;
use std::time::Duration;

const OPERATIONS_MAX: usize = 50;

/// One call, or one that belongs together. Jobs and leases are picked by a number that is taken modulo how
/// many there are; an operation that finds none does nothing.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Create { max_attempts: u32, priority: i16, key: Option<u8> },
    Claim { runner: u8, limit: u32 },
    Heartbeat { runner: u8 },
    LeaseStates,
    Record(Vec<(Which, End)>),
    RecordTheSameAgain,
    Silence { job: usize },
    Reap { limit: u32 },
    Cancel { job: usize },
    Retry { job: usize },
    RetryMany { status: Status },
    Resume { job: usize },
}

/// Which lease an outcome is recorded under.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// One that a running job has.
    Held(usize),
    /// Any there ever was.
    Ever(usize),
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Complete,
    Retry,
    Fail,
    WaitUntilThePast,
    WaitForNoTime,
    WaitForSignal,
    Release,
}

impl End {
    pub(super) fn transition(self) -> Transition {
        let wait = |until| Transition::Wait { until, reason: None };
        match self {
            End::Complete => Transition::Complete(None),
            End::Retry => retry_at_once("AGAIN"),
            End::Fail => Transition::Fail(error("NEVER")),
            End::WaitUntilThePast => wait(Wake::At(1)),
            End::WaitForNoTime => wait(Wake::After(Duration::ZERO)),
            End::WaitForSignal => wait(Wake::Signal("paid".into())),
            End::Release => Transition::Release,
        }
    }
}

pub(super) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 1..=OPERATIONS_MAX)
}

fn operation() -> impl Strategy<Value = Operation> {
    let job = 0..8usize;
    let create = (1..=3u32, 0..=2i16, prop::option::of(0..2u8));
    let retried = prop_oneof![Just(Status::Failed), Just(Status::Cancelled)];
    prop_oneof![
        5 => create.prop_map(|(max_attempts, priority, key)| Operation::Create { max_attempts, priority, key }),
        6 => (0..3u8, 1..=3u32).prop_map(|(runner, limit)| Operation::Claim { runner, limit }),
        2 => (0..3u8).prop_map(|runner| Operation::Heartbeat { runner }),
        1 => Just(Operation::LeaseStates),
        6 => outcome().prop_map(|outcome| Operation::Record(vec![outcome])),
        2 => prop::collection::vec(outcome(), 2..=5).prop_map(Operation::Record),
        2 => Just(Operation::RecordTheSameAgain),
        4 => job.clone().prop_map(|job| Operation::Silence { job }),
        2 => (1..=3u32).prop_map(|limit| Operation::Reap { limit }),
        2 => job.clone().prop_map(|job| Operation::Cancel { job }),
        2 => job.clone().prop_map(|job| Operation::Retry { job }),
        2 => retried.prop_map(|status| Operation::RetryMany { status }),
        3 => job.prop_map(|job| Operation::Resume { job }),
    ]
}

fn outcome() -> impl Strategy<Value = (Which, End)> {
    let which = prop_oneof![
        3 => (0..8usize).prop_map(Which::Held),
        1 => (0..16usize).prop_map(Which::Ever),
    ];
    let end = prop::sample::select(vec![
        End::Complete,
        End::Retry,
        End::Fail,
        End::WaitUntilThePast,
        End::WaitForNoTime,
        End::WaitForSignal,
        End::Release,
    ]);
    (which, end)
}
