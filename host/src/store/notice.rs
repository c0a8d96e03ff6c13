use tokio::sync::mpsc;

/// What happened in the database, told by itself. A hint, which may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A job of this handler is due.
    Due {
        /// The handler's name.
        handler: String,
    },
    /// A running job was cancelled.
    Cancelled {
        /// The job.
        job_id: String,
    },
    /// Another program wrote something; the engine cannot say what.
    Changed,
}

impl Notice {
    /// From a message on the channel `flowmonkey`; nothing for what later versions may send.
    pub(super) fn parse(payload: &str) -> Option<Self> {
        let (verb, rest) = payload.split_once(' ')?;
        match verb {
            "due" => Some(Notice::Due { handler: rest.to_owned() }),
            "cancelled" => Some(Notice::Cancelled { job_id: rest.to_owned() }),
            _ => None,
        }
    }
}

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
        let due = |handler: &str| Some(Notice::Due { handler: handler.into() });
        let cancelled = Some(Notice::Cancelled { job_id: "j".into() });
        for (payload, expected) in
            [("due a b", due("a b")), ("cancelled j", cancelled), ("ping 1", None), ("due", None), ("", None)]
        {
            assert_eq!(Notice::parse(payload), expected, "{payload:?}");
        }
    }
}
