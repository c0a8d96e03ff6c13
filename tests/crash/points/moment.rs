//! When a process dies.

/// At which call of the store, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// The method; of `record`, with the outcome that is recorded.
    pub(crate) call: &'static str,
    /// The first call is 1.
    pub(crate) nth: u32,
    pub(crate) moment: Moment,
}

/// When, of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nothing of it has reached the database.
    Before,
    /// The call has waited so many times for the database, which may or may not have committed.
    During(u32),
    /// It is committed, and nobody has heard the answer.
    After,
}

impl Moment {
    /// For the command line of the process that dies.
    pub(crate) fn to_text(self) -> String {
        match self {
            Moment::Before => "before".into(),
            Moment::During(waits) => waits.to_string(),
            Moment::After => "after".into(),
        }
    }

    pub(crate) fn from_text(text: &str) -> Self {
        match text {
            "before" => Moment::Before,
            "after" => Moment::After,
            waits => Moment::During(waits.parse().unwrap()),
        }
    }

    /// Holds what the database shows against what it must: whether the call's write stands.
    pub(crate) fn check(self, stands: bool, what: &str) {
        match self {
            Moment::Before => assert!(!stands, "{what}: it had not begun, and stands"),
            Moment::During(_) => {}
            Moment::After => assert!(stands, "{what}: it was committed, and is gone"),
        }
    }
}
