use crate::job::{
    JobError, JsonText, Lease, Progress, Ran, Status, Transition, Usage, WAIT_MAX, Waiting, Wake,
};

/// How one attempt ended: what `record` writes.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The attempt.
    pub lease: Lease,
    /// What the job becomes.
    pub transition: Transition,
    /// What the attempt cost.
    pub usage: Usage,
    /// The last progress the guest reported, where it was not written yet.
    pub progress: Option<Progress>,
    /// Which code ran; `None` when none did.
    pub ran: Option<Ran>,
    /// Whether the job's row stays when it is completed. One that does not stay is deleted instead, unless it belongs
    /// to an execution or holds a unique key for a time; such a write that finds no row counts as
    /// [`Recorded::Written`], since it cannot be told from one that was written before.
    pub keep: bool,
}

/// What became of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It stands in the database, from this call or from an earlier one.
    Written,
    /// The lease was lost: nothing changed.
    LeaseLost,
}

/// A recording as the statements of both engines take it. Times that hang on "now" stay relative,
/// since only the database knows it.
#[derive(Debug, serde::Serialize)]
pub(super) struct RecordingRow<'r> {
    pub(super) job_id: &'r str,
    pub(super) instance_id: &'r str,
    pub(super) status: Status,
    pub(super) outcome: &'static str,
    pub(super) result: Option<&'r str>,
    pub(super) error: Option<String>,
    /// Due so many milliseconds from now.
    pub(super) delay_ms: Option<i64>,
    /// Due at this moment, but at most `delay_ms` from now.
    pub(super) at_ms: Option<i64>,
    pub(super) refund: i32,
    pub(super) waiting: Option<String>,
    pub(super) progress: Option<String>,
    /// What the history says of the attempt, as the inside of a JSON object, but for what only the row knows.
    pub(super) entry: String,
}

impl Recording {
    /// Whether its job's row goes.
    pub(super) fn forgets(&self) -> bool {
        !self.keep && matches!(self.transition, Transition::Complete(_))
    }
}

impl<'r> RecordingRow<'r> {
    pub(super) fn new(recording: &'r Recording) -> Self {
        let transition = &recording.transition;
        let row = RecordingRow {
            job_id: &recording.lease.job_id,
            instance_id: &recording.lease.instance_id,
            status: transition.leads_to(),
            outcome: transition.label(),
            result: None,
            error: transition.error().map(to_json),
            delay_ms: None,
            at_ms: None,
            refund: 0,
            waiting: None,
            progress: recording.progress.as_ref().map(to_json),
            entry: entry(recording),
        };
        match transition {
            Transition::Fail(_) => row,
            Transition::Complete(result) => {
                RecordingRow { result: result.as_ref().map(JsonText::as_str), ..row }
            }
            Transition::Retry { after, .. } => RecordingRow { delay_ms: Some(millis(*after)), ..row },
            Transition::Postpone { after, .. } => {
                RecordingRow { delay_ms: Some(millis(*after)), refund: 1, ..row }
            }
            Transition::Release => RecordingRow { delay_ms: Some(0), refund: 1, ..row },
            Transition::Wait { until, reason } => {
                let (delay_ms, at_ms, signal) = match until {
                    Wake::After(pause) => (Some(millis(*pause)), None, None),
                    Wake::At(at) => (Some(millis(WAIT_MAX)), Some(*at), None),
                    Wake::Signal(name) => (None, None, Some(name.clone())),
                };
                let waiting = Some(to_json(&Waiting { signal, reason: reason.clone() }));
                RecordingRow { delay_ms, at_ms, refund: 1, waiting, ..row }
            }
        }
    }

    /// Roughly how large it is.
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.error, &self.waiting, &self.progress];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        self.result.map_or(0, str::len) + self.entry.len() + texts
    }
}

/// Without its braces: the statements add the attempt's number, its runner and the time.
fn entry(recording: &Recording) -> String {
    #[derive(serde::Serialize)]
    struct Entry<'r> {
        instance_id: &'r str,
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'r JobError>,
        usage: &'r Usage,
        #[serde(flatten)]
        ran: Option<&'r Ran>,
    }
    let text = to_json(&Entry {
        instance_id: &recording.lease.instance_id,
        outcome: recording.transition.label(),
        error: recording.transition.error(),
        usage: &recording.usage,
        ran: recording.ran.as_ref(),
    });
    text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(&text).to_owned()
}

/// Milliseconds as the databases take them.
pub(super) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Our own types have string keys and no floats but finite ones, so this cannot fail; should it ever,
/// `null` says so in the row.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

/// What the reaper writes. The statements decide between pending and failed as [`crate::job::reap`].
pub(super) fn stalled_error() -> Option<String> {
    crate::job::reap(1, 1).error().map(to_json)
}
