//! Jobs later and again: delayed ones, and schedules whose slots each create one job, however many nodes
//! run a scheduler.

pub mod cron;
mod slots;

use crate::job::{InvalidJob, NewJob, check_name};
use crate::store::{Created, Firing, Missed, NewSchedule, Schedule, ScheduleStore, SharedStore, StoreError};
use crate::telemetry;
use cron::{Cron, CronError, Tz, parse_zone};
use slots::plan;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

const YEAR_MS: i64 = 366 * 24 * 60 * 60 * 1000;
/// More missed slots than these are made up for by no schedule.
const MISSED_MAX: u32 = 10_000;
/// How many schedules one look takes at a time.
const LOOK_MAX: u32 = 100;

/// Creates jobs that are due later, and schedules. Cheap to make; FlowMonkey's `JobScheduler`.
#[derive(Clone)]
pub struct Scheduler {
    store: SharedStore,
}

/// Why a schedule cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The expression or the time zone.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// Another field.
    #[error(transparent)]
    Invalid(#[from] InvalidJob),
    /// As for every call.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A schedule and when it fires.
#[derive(Debug, Clone)]
pub struct Upcoming {
    /// The schedule.
    pub schedule: Schedule,
    /// Its next slots, in milliseconds since 1970; none while it is paused.
    pub next: Vec<i64>,
}

/// How often to look for slots.
#[derive(Debug, Clone, Copy)]
pub struct SchedulerSettings {
    /// The pause between two looks, and so how late a slot may be.
    pub check_interval: Duration,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        SchedulerSettings { check_interval: Duration::from_secs(1) }
    }
}

impl NewSchedule {
    /// A schedule in UTC with the defaults for everything else: priority 0, three attempts, one job for
    /// all slots that were missed.
    pub fn new(
        name: impl Into<String>,
        cron: impl Into<String>,
        handler: impl Into<String>,
        input: crate::job::JsonText,
    ) -> Self {
        NewSchedule {
            name: name.into(),
            cron: cron.into(),
            time_zone: "UTC".into(),
            handler: handler.into(),
            input,
            priority: 0,
            max_attempts: crate::job::MAX_ATTEMPTS_DEFAULT,
            missed: Missed::Once,
            missed_max: 100,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// Says which field is wrong and what to write instead; never [`ScheduleError::Store`].
    pub fn check(&self) -> Result<(Cron, Tz), ScheduleError> {
        check_name("schedule's name", &self.name)?;
        let job = NewJob {
            priority: self.priority,
            max_attempts: self.max_attempts,
            ..NewJob::new(&self.handler, self.input.clone())
        };
        job.check()?;
        if !(1..=MISSED_MAX).contains(&self.missed_max) {
            let why = format!("the number of missed runs to make up for must be between 1 and {MISSED_MAX}");
            return Err(InvalidJob(why).into());
        }
        Ok(parse(self)?)
    }
}

impl Scheduler {
    /// A scheduler over this store. Schedules fire while one is [started](Scheduler::start) somewhere.
    pub fn new(store: SharedStore) -> Self {
        Scheduler { store }
    }

    /// Creates a job that is due at its [`start`](NewJob::start).
    ///
    /// # Errors
    /// As [`JobStore::create`](crate::store::JobStore::create).
    pub async fn schedule(&self, job: NewJob) -> Result<Created, StoreError> {
        self.store.create(job).await
    }

    /// Creates or replaces a schedule. One whose expression and time zone stay the same keeps its next
    /// slot, so a program may call this at every start.
    ///
    /// # Errors
    /// Says which field is wrong and what to write instead.
    pub async fn schedule_recurring(&self, schedule: &NewSchedule) -> Result<(), ScheduleError> {
        let (cron, zone) = schedule.check()?;
        let now = self.store.now().await?;
        Ok(self.store.put_schedule(schedule, cron.after(now, zone)).await?)
    }

    /// Pauses a schedule: its slots create no jobs. Returns whether it is there.
    ///
    /// # Errors
    /// As every call of a store.
    pub async fn pause(&self, name: &str) -> Result<bool, StoreError> {
        self.store.pause_schedule(name).await
    }

    /// Lets a paused schedule go on with its next slot from now; those of the pause are not missed ones.
    /// Returns whether it is there.
    ///
    /// # Errors
    /// [`ScheduleError::Cron`] when its expression or zone is none, such as one that was written by hand.
    pub async fn resume(&self, name: &str) -> Result<bool, ScheduleError> {
        let Some(schedule) = self.store.schedule(name).await? else { return Ok(false) };
        let (cron, zone) = parse(&schedule.spec)?;
        let next_at = cron.after(self.store.now().await?, zone);
        Ok(self.store.resume_schedule(name, next_at).await?)
    }

    /// Removes a schedule; the jobs it created stay. Returns whether it was there.
    ///
    /// # Errors
    /// As every call of a store.
    pub async fn remove(&self, name: &str) -> Result<bool, StoreError> {
        self.store.remove_schedule(name).await
    }

    /// All schedules by name, with their next slots, so many each.
    ///
    /// # Errors
    /// As every call of a store.
    pub async fn list(&self, slots: usize) -> Result<Vec<Upcoming>, StoreError> {
        let upcoming = |schedule: Schedule| {
            let first = schedule.next_at.filter(|_| !schedule.paused);
            let parsed = parse(&schedule.spec).ok();
            let following = |at: &i64| parsed.as_ref().and_then(|(cron, zone)| cron.after(*at, *zone));
            Upcoming { next: std::iter::successors(first, following).take(slots).collect(), schedule }
        };
        Ok(self.store.schedules().await?.into_iter().map(upcoming).collect())
    }

    /// Begins to look for slots, now and then every `check_interval`. Any number of nodes may do so: each
    /// slot fires once. A database that is away is waited for.
    pub fn start(&self, settings: SchedulerSettings) -> RunningScheduler {
        let (stop, stopped) = watch::channel(false);
        let looking = tokio::spawn(look_repeatedly(self.store.clone(), settings, stopped));
        RunningScheduler { stop, looking }
    }
}

/// A scheduler at work.
#[derive(Debug)]
pub struct RunningScheduler {
    stop: watch::Sender<bool>,
    looking: JoinHandle<()>,
}

impl RunningScheduler {
    /// Ends after the statement under way.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.looking.await;
    }
}

fn parse(schedule: &NewSchedule) -> Result<(Cron, Tz), CronError> {
    Ok((Cron::parse(&schedule.cron)?, parse_zone(&schedule.time_zone)?))
}

async fn look_repeatedly(
    store: SharedStore,
    settings: SchedulerSettings,
    mut stopped: watch::Receiver<bool>,
) {
    let mut looks = interval(settings.check_interval.max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = looks.tick() => {}
        }
        if let Err(why) = look(&*store).await {
            telemetry::scheduler_failing(&why);
        }
    }
}

/// Fires what is due. A schedule whose expression or zone is none, such as one that was written by hand, is
/// paused: it would be in the way of the others at every look.
async fn look(store: &dyn crate::store::Store) -> Result<(), StoreError> {
    loop {
        let due = store.due_schedules(LOOK_MAX).await?;
        let mut moved = 0;
        for schedule in &due.schedules {
            match fire(store, schedule, due.now).await {
                Ok(fired) => moved += usize::from(fired),
                Err(ScheduleError::Store(why @ StoreError::Unavailable(_))) => return Err(why),
                Err(ScheduleError::Cron(why)) => {
                    telemetry::schedule_failing(&schedule.spec.name, &why);
                    moved += usize::from(store.pause_schedule(&schedule.spec.name).await?);
                }
                Err(why) => telemetry::schedule_failing(&schedule.spec.name, &why),
            }
        }
        // Only what moves on makes place for more.
        if due.schedules.len() < LOOK_MAX as usize || moved == 0 {
            return Ok(());
        }
    }
}

/// Whether this scheduler was the one that fired it.
async fn fire(store: &dyn ScheduleStore, schedule: &Schedule, now: i64) -> Result<bool, ScheduleError> {
    let Some(first) = schedule.next_at else { return Ok(false) };
    let (cron, zone) = parse(&schedule.spec)?;
    // Nobody wants to make up for more than a year, and walking through it takes time.
    let first = if now - first > YEAR_MS { cron.after(now - YEAR_MS, zone).unwrap_or(first) } else { first };
    let plan = plan(first, now, &schedule.spec, |at| cron.after(at, zone));
    let firing = Firing { schedule, slots: plan.fire, next_at: plan.next_at };
    let fired = store.fire(&firing).await?;
    if fired {
        telemetry::fired(&schedule.spec.name, firing.slots.len(), plan.dropped);
    }
    Ok(fired)
}
