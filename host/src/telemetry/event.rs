use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast;

/// How many events wait for a subscriber that is slow; it loses the oldest and is told so.
const EVENTS_MAX: usize = 4096;

/// Something that happened to a job, told to programs. What ends an attempt is told once it stands in the
/// database. Progress is told as the handler reports it, of which the last is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The job.
    pub job_id: String,
    /// Its handler.
    pub handler: String,
    /// The attempt it happened in; the first is 1.
    pub attempt: u32,
    /// When, in milliseconds since 1970 by this machine's clock.
    pub at_ms: u64,
}

/// What can happen to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// A runner of this process leased it.
    Claimed,
    /// Its handler begins.
    Started,
    /// Its lease was kept alive.
    Heartbeat,
    /// Its handler said how far it is.
    Progress {
        /// From 0 to 100.
        percent: f32,
        /// What it is doing.
        message: Option<String>,
    },
    /// Its handler saved or deleted a value.
    Checkpoint {
        /// Under this key; `None` when it cleared all.
        key: Option<String>,
    },
    /// Its handler created a job.
    Enqueued {
        /// The new job.
        job_id: String,
        /// That job's handler.
        handler: String,
    },
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed {
        /// The error's code.
        code: String,
    },
    /// The attempt failed, and there will be another.
    Retried {
        /// The error's code.
        code: String,
    },
    /// It goes on later.
    Waiting,
    /// Its runner gave it back.
    Released,
    /// Its attempt could not begin, and does not count; there will be another.
    Postponed {
        /// The error's code.
        code: String,
    },
    /// It was called off while it ran.
    Cancelled,
    /// Its runner fell silent; told by the reaper.
    Stalled,
    /// Its outcome was dropped, since the job was cancelled or belonged to another attempt.
    Superseded,
}

/// The stream of events of one process: give the same one to runners and the reaper.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Events(broadcast::Sender::new(EVENTS_MAX))
    }
}

impl Events {
    /// Events from now on. A subscriber that falls 4,096 behind gets
    /// [`Lagged`](broadcast::error::RecvError::Lagged) and goes on with what is left.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }

    /// Tells whoever listens. Costs next to nothing when nobody does.
    pub(crate) fn tell(&self, kind: EventKind, job_id: &str, handler: &str, attempt: u32) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let (job_id, handler) = (job_id.to_owned(), handler.to_owned());
        let _ = self.0.send(Event { kind, job_id, handler, attempt, at_ms });
    }
}
