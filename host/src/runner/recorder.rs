use super::{Entered, Outage, Phase, Shared};
use crate::job::{ErrorCode, JobError, Transition};
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

/// An attempt that has ended and is to be recorded. It is active until then.
pub(super) struct Finished {
    pub(super) recording: Recording,
    pub(super) entered: Entered,
}

impl Finished {
    fn name(&self) -> AttemptName<'_> {
        let job = &self.entered.active.job;
        AttemptName { job_id: &job.lease.job_id, handler: &job.handler, attempt: job.attempt }
    }
}

/// Writes outcomes in groups: while one write is under way, the next group forms. Ends when the claim
/// loop and all attempts are gone, or when the runner is over.
pub(super) async fn record_repeatedly(shared: Arc<Shared>, mut received: UnboundedReceiver<Finished>) {
    let outage = Outage::of("record");
    let mut group = Vec::with_capacity(GROUP_MAX);
    while received.recv_many(&mut group, GROUP_MAX).await > 0 {
        tokio::select! {
            biased;
            () = record(&shared, &outage, &group) => {}
            () = shared.reached(Phase::Over) => return,
        }
        let numbers: Vec<u64> = group.iter().map(|finished| finished.entered.number).collect();
        shared.leave(&numbers);
        group.clear();
    }
}

/// Does not return before every outcome stands or never will.
async fn record(shared: &Shared, outage: &Outage, group: &[Finished]) {
    let recordings: Vec<Recording> = group.iter().map(|finished| finished.recording.clone()).collect();
    match write(shared, outage, &recordings).await {
        Ok(answers) => group
            .iter()
            .zip(answers)
            .for_each(|(one, answer)| count(shared, one, &one.recording.transition, answer)),
        // One of them is at fault: find it, and save the others.
        Err(_) if group.len() > 1 => {
            for finished in group {
                record_alone(shared, outage, finished).await;
            }
        }
        Err(why) => give_reason(shared, outage, &group[0], &why).await,
    }
}

async fn record_alone(shared: &Shared, outage: &Outage, finished: &Finished) {
    match write(shared, outage, std::slice::from_ref(&finished.recording)).await {
        Ok(answers) => answers
            .into_iter()
            .for_each(|answer| count(shared, finished, &finished.recording.transition, answer)),
        Err(why) => give_reason(shared, outage, finished, &why).await,
    }
}

/// The database refuses this outcome, whatever it is: then the job fails with that as its reason. When
/// even that is refused, the reaper ends it.
async fn give_reason(shared: &Shared, outage: &Outage, finished: &Finished, why: &StoreError) {
    let message = format!("the outcome could not be stored: {why}");
    let error = JobError::host(ErrorCode::InvalidOutput, message);
    let transition = Transition::Fail(error);
    let recording = Recording { transition, progress: None, ..finished.recording.clone() };
    match write(shared, outage, std::slice::from_ref(&recording)).await {
        Ok(answers) => {
            telemetry::outcome_refused(finished.name(), why);
            answers.into_iter().for_each(|answer| count(shared, finished, &recording.transition, answer));
        }
        Err(why) => telemetry::unrecordable(finished.name(), &why),
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

fn count(shared: &Shared, finished: &Finished, transition: &Transition, answer: Recorded) {
    let code = || transition.error().map(|error| error.code.clone()).unwrap_or_default();
    let (counter, kind) = match (answer, transition) {
        (Recorded::LeaseLost, _) => {
            telemetry::superseded(finished.name());
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
    let AttemptName { job_id, handler, attempt } = finished.name();
    shared.events.tell(kind, job_id, handler, attempt);
}
