use super::{Entered, Outage, Phase, Shared};
use crate::catalog::Handler;
use crate::job::{ErrorCode, JobError, Progress, Transition, Usage};
use crate::store::{Recorded, Recording, StoreError};
use crate::telemetry::{self, AttemptName, EventKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// At most so many outcomes a statement.
const GROUP_MAX: usize = 1000;
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How often a refusal is repeated that may be the database's and not the value's: for some twenty seconds.
const ODD_MAX: u32 = 8;

/// Where attempts that have ended are recorded.
pub(super) type Recordings = UnboundedSender<Finished>;

/// An attempt that has ended and is to be recorded. It is active until then. With as little memory of its own as
/// possible: what is taken on one thread and freed on another is cold to both.
pub(super) struct Finished {
    pub(super) entered: Entered,
    pub(super) transition: Transition,
    pub(super) usage: Usage,
    pub(super) progress: Option<Progress>,
    /// What ran, if anything did.
    pub(super) handler: Option<Arc<Handler>>,
    /// See [`Recording::keep`].
    pub(super) keep: bool,
}

impl Finished {
    /// Of a job that is given back without an attempt.
    pub(super) fn released(entered: Entered) -> Self {
        let (transition, usage) = (Transition::Release, Usage::default());
        Finished { entered, transition, usage, progress: None, handler: None, keep: true }
    }

    fn apart(self) -> (Recording, Entered) {
        let Finished { entered, transition, usage, progress, handler, keep } = self;
        let lease = entered.active.job.lease.clone();
        let ran = handler.map(|handler| handler.ran());
        (Recording { lease, transition, usage, progress, ran, keep }, entered)
    }
}

impl Entered {
    fn name(&self) -> AttemptName<'_> {
        let job = &self.active.job;
        AttemptName { job_id: &job.lease.job_id, handler: &job.handler, attempt: job.attempt }
    }
}

/// Writes outcomes in groups: while one write is under way, the next group forms. Ends when the claim
/// loop and all attempts are gone, or when the runner is over.
pub(super) async fn record_repeatedly(shared: Arc<Shared>, mut received: UnboundedReceiver<Finished>) {
    let outage = Outage::of("record");
    let mut group = Vec::with_capacity(GROUP_MAX);
    while received.recv_many(&mut group, GROUP_MAX).await > 0 {
        let (recordings, entered): (Vec<_>, Vec<_>) = group.drain(..).map(Finished::apart).unzip();
        tokio::select! {
            biased;
            () = record(&shared, &outage, &recordings, &entered) => {}
            () = shared.reached(Phase::Over) => return,
        }
        let numbers: Vec<u64> = entered.iter().map(|one| one.number).collect();
        shared.leave(&numbers);
    }
}

/// Does not return before every outcome stands or never will. Two lists of one length.
async fn record(shared: &Shared, outage: &Outage, recordings: &[Recording], entered: &[Entered]) {
    match write(shared, outage, recordings).await {
        Ok(answers) => {
            recordings.iter().zip(entered).zip(answers).for_each(|((recording, entered), answer)| {
                count(shared, entered, &recording.transition, answer)
            })
        }
        // One of them is at fault: find it, and save the others.
        Err(_) if recordings.len() > 1 => {
            for (recording, entered) in recordings.iter().zip(entered) {
                record_alone(shared, outage, recording, entered).await;
            }
        }
        Err(why) => give_reason(shared, outage, &recordings[0], &entered[0], &why).await,
    }
}

async fn record_alone(shared: &Shared, outage: &Outage, recording: &Recording, entered: &Entered) {
    match write(shared, outage, std::slice::from_ref(recording)).await {
        Ok(answers) => {
            answers.into_iter().for_each(|answer| count(shared, entered, &recording.transition, answer));
        }
        Err(why) => give_reason(shared, outage, recording, entered, &why).await,
    }
}

/// The database refuses this outcome, whatever it is: then the job fails with that as its reason. When
/// even that is refused, the reaper ends it.
async fn give_reason(
    shared: &Shared,
    outage: &Outage,
    recording: &Recording,
    entered: &Entered,
    why: &StoreError,
) {
    let message = format!("the outcome could not be stored: {why}");
    let error = JobError::host(ErrorCode::InvalidOutput, message);
    let transition = Transition::Fail(error);
    let recording = Recording { transition, progress: None, ..recording.clone() };
    match write(shared, outage, std::slice::from_ref(&recording)).await {
        Ok(answers) => {
            telemetry::outcome_refused(entered.name(), why);
            answers.into_iter().for_each(|answer| count(shared, entered, &recording.transition, answer));
        }
        Err(why) => telemetry::unrecordable(entered.name(), &why),
    }
}

/// Repeats for as long as the database is away; `record` may be repeated without harm. An error that says
/// nothing of the value, such as a privilege that is missing for a moment, is given some time as well.
async fn write(
    shared: &Shared,
    outage: &Outage,
    recordings: &[Recording],
) -> Result<Vec<Recorded>, StoreError> {
    let mut pause = Duration::from_millis(100);
    let mut odd = 0;
    loop {
        let written = shared.store.record(recordings).await;
        outage.note(shared, &written);
        match &written {
            Err(StoreError::Unavailable(_)) => {}
            Err(StoreError::Schema(_) | StoreError::Internal(_)) if odd < ODD_MAX => odd += 1,
            _ => return written,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF_MAX);
    }
}

fn count(shared: &Shared, entered: &Entered, transition: &Transition, answer: Recorded) {
    let code = || transition.error().map(|error| error.code.clone()).unwrap_or_default();
    let (counter, kind) = match (answer, transition) {
        (Recorded::LeaseLost, _) => {
            telemetry::superseded(entered.name());
            (Some(&shared.superseded), EventKind::Superseded)
        }
        (_, Transition::Complete(_)) => (Some(&shared.completed), EventKind::Completed),
        (_, Transition::Fail(_)) => (Some(&shared.failed), EventKind::Failed { code: code() }),
        (_, Transition::Retry { .. }) => (None, EventKind::Retried { code: code() }),
        (_, Transition::Wait { .. }) => (None, EventKind::Waiting),
        (_, Transition::Release) => (None, EventKind::Released),
        (_, Transition::Postpone { .. }) => (None, EventKind::Postponed { code: code() }),
    };
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    let AttemptName { job_id, handler, attempt } = entered.name();
    shared.events.tell(kind, job_id, handler, attempt);
}
