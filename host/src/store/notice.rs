use std::time::Duration;
use tokio::sync::mpsc;

/// What happened in the database, told by itself. A hint, which may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A job is due, or will be once a transaction commits that is about to: look now, and again after
    /// each of [`DUE_ECHOES`].
    Due,
    /// A running job was cancelled.
    Cancelled {
        /// The job.
        job_id: String,
    },
    /// Handlers were pushed, activated, paused or removed.
    Handlers,
    /// Another program wrote something; the engine cannot say what.
    Changed,
}

impl Notice {
    /// From a message on the channel `flowmonkey`; nothing for what later versions may send.
    pub(super) fn parse(payload: &str) -> Option<Self> {
        match payload.split_once(' ') {
            None => match payload {
                "due" => Some(Notice::Due),
                "handlers" => Some(Notice::Handlers),
                _ => None,
            },
            Some(("cancelled", job_id)) => Some(Notice::Cancelled { job_id: job_id.to_owned() }),
            Some(_) => None,
        }
    }
}

/// Postgres tells of due jobs at most once in 5 ms, and decides so before a transaction commits, which on a
/// busy disk may take long. What the last notice did not tell of is found by looks this long after it, or after the
/// line was opened, since it may have been sent just before; what commits later still, by the poll.
pub const DUE_ECHOES: [Duration; 5] = [
    Duration::from_millis(5),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_millis(1000),
    Duration::from_millis(4000),
];

/// How many notices wait for a listener that is slow; what is more is dropped, since a look finds it.
pub(super) const NOTICES_MAX: usize = 1024;

/// Notices as they come.
#[derive(Debug)]
pub struct Notices(mpsc::Receiver<Notice>);

impl Notices {
    pub(super) fn new() -> (mpsc::Sender<Notice>, Self) {
        let (sender, receiver) = mpsc::channel(NOTICES_MAX);
        (sender, Notices(receiver))
    }

    /// The next notice, or `None` once the line is dead: listen again then.
    pub async fn next(&mut self) -> Option<Notice> {
        self.0.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_odd_ones_dropped() {
        let cancelled = Some(Notice::Cancelled { job_id: "j".into() });
        for (payload, expected) in [
            ("due", Some(Notice::Due)),
            ("cancelled j", cancelled),
            ("ping 1", None),
            ("dues", None),
            ("", None),
        ] {
            assert_eq!(Notice::parse(payload), expected, "{payload:?}");
        }
    }
}
