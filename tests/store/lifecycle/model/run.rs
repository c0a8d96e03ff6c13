//! What runners and the reaper do.

use super::super::operation::{End, Which};
use super::{Attempt, Model, Rows, same};
use crate::given::{STALLED, recording, request, silence};
use flowmonkey_jobs::job::{Event, Lease, State, Status, Transition, next};
use flowmonkey_jobs::store::{ClaimRequest, Claimed, LeaseState, Reaped, Recorded, Recording};
use flowmonkey_tests::database::Fixture;

impl Model {
    pub(super) async fn claim(&mut self, f: &Fixture, runner: u8, limit: u32) -> Result<(), String> {
        let runner_id = format!("runner-{runner}");
        let expected = self.due(&super::rows(f).await);
        let request = ClaimRequest { runner_id: runner_id.clone(), ..request(limit) };
        let claimed = f.store.claim(&request).await.unwrap().jobs;
        match expected.len() {
            0 => drop(self.seen.insert("claimed nothing")),
            due if due > limit as usize => drop(self.seen.insert("claimed in part")),
            _ => {}
        }
        let expected: Vec<usize> = expected.into_iter().take(limit as usize).collect();
        let numbers = claimed.iter().map(|one| self.number(&one.lease.job_id));
        same("the claimed jobs, in their order", numbers.collect::<Result<Vec<_>, _>>()?, expected)?;
        for one in claimed {
            let job = self.number(&one.lease.job_id)?;
            self.begin(job, &one, &runner_id)?;
            self.attempts.push(Attempt { lease: one.lease, job, runner });
        }
        Ok(())
    }

    /// The jobs that a claim may take: lowest priority number first, then oldest due, then smallest id.
    fn due(&self, rows: &Rows) -> Vec<usize> {
        let is_due = |number: &usize| next(&self.jobs[*number].state, Event::Claim).is_some();
        let mut due: Vec<usize> = (0..self.jobs.len()).filter(is_due).collect();
        due.sort_by_key(|number| {
            let job = &self.jobs[*number];
            (job.priority, rows[&job.id].run_at, job.id.clone())
        });
        due
    }

    fn begin(&mut self, number: usize, claimed: &Claimed, runner_id: &str) -> Result<(), String> {
        let repeats = self.attempts.iter().any(|one| one.lease.instance_id == claimed.lease.instance_id);
        same("an instance id that repeats", repeats, false)?;
        let job = &mut self.jobs[number];
        job.state = next(&job.state, Event::Claim).ok_or("it was not due")?;
        job.instance_id = Some(claimed.lease.instance_id.clone());
        job.runner_id = Some(runner_id.to_owned());
        job.is_silent = false;
        same("attempt", claimed.attempt, job.state.attempts)?;
        same("of", claimed.max_attempts, job.state.max_attempts)?;
        same("waits", claimed.waits, job.state.waits)?;
        same("priority", claimed.priority, job.priority)?;
        same("payload", &claimed.resumed_with, &job.payload())
    }

    pub(super) async fn heartbeat(&mut self, f: &Fixture, runner: u8) -> Result<(), String> {
        let attempts = self.attempts.iter().filter(|one| one.runner == runner);
        let leases: Vec<Lease> = attempts.map(|one| one.lease.clone()).collect();
        let states = f.store.heartbeat(&leases).await.unwrap();
        for job in &mut self.jobs {
            job.is_silent &= !leases.iter().any(|lease| job.holds(lease));
        }
        let expected = self.states(&leases);
        same("the leases' states", states, expected)
    }

    pub(super) async fn lease_states(&mut self, f: &Fixture) -> Result<(), String> {
        let leases: Vec<Lease> = self.attempts.iter().map(|one| one.lease.clone()).collect();
        let states = f.store.lease_states(&leases).await.unwrap();
        let expected = self.states(&leases);
        same("the leases' states", states, expected)
    }

    /// An attempt that has ended may hear that its job was cancelled later: nobody asks for it any more.
    fn states(&mut self, leases: &[Lease]) -> Vec<LeaseState> {
        let state = |lease: &Lease| {
            let job = self.jobs.iter().find(|job| job.instance_id.as_ref() == Some(&lease.instance_id));
            match job.map(|job| job.state.status) {
                Some(Status::Running) => LeaseState::Held,
                Some(Status::Cancelled) => LeaseState::Cancelled,
                _ => LeaseState::Lost,
            }
        };
        let states: Vec<LeaseState> = leases.iter().map(state).collect();
        self.seen.extend(states.iter().map(|state| match state {
            LeaseState::Held => "held",
            LeaseState::Cancelled => "lease cancelled",
            LeaseState::Lost => "lease lost",
        }));
        states
    }

    /// Each lease once: a runner has one outcome for an attempt.
    pub(super) async fn record(&mut self, f: &Fixture, outcomes: &[(Which, End)]) -> Result<(), String> {
        let mut recordings: Vec<Recording> = Vec::new();
        for (which, end) in outcomes {
            let Some(lease) = self.lease(*which) else { continue };
            if recordings.iter().all(|one| one.lease != lease) {
                recordings.push(recording(&lease, end.transition()));
            }
        }
        self.write(f, &recordings).await?;
        self.last = recordings;
        Ok(())
    }

    fn lease(&self, which: Which) -> Option<Lease> {
        let (pick, held) = match which {
            Which::Held(pick) => (pick, true),
            Which::Ever(pick) => (pick, false),
        };
        let fits = |one: &&Attempt| !held || self.jobs[one.job].holds(&one.lease);
        let among: Vec<&Attempt> = self.attempts.iter().filter(fits).collect();
        (!among.is_empty()).then(|| among[pick % among.len()].lease.clone())
    }

    pub(super) async fn write(&mut self, f: &Fixture, recordings: &[Recording]) -> Result<(), String> {
        let answers = f.store.record(recordings).await.unwrap();
        let mut expected = Vec::new();
        for one in recordings {
            expected.push(self.end(&one.lease, &one.transition)?);
        }
        same("what became of the outcomes", answers, expected)
    }

    /// An outcome counts under a lease that is held, or when it stands already.
    fn end(&mut self, lease: &Lease, transition: &Transition) -> Result<Recorded, String> {
        let number = self.number(&lease.job_id)?;
        let job = &mut self.jobs[number];
        let label = transition.label();
        if !job.holds(lease) {
            let again = job.history.iter().any(|one| one.1 == lease.instance_id && one.2 == label);
            self.seen.insert(if again { "recorded again" } else { "recorded too late" });
            return Ok(if again { Recorded::Written } else { Recorded::LeaseLost });
        }
        let before = job.state;
        let after = next(&before, Event::Record(transition)).ok_or("the table has no such row")?;
        job.remember(before.attempts, label);
        job.turn_into(after);
        job.error = match transition {
            Transition::Retry { .. } => Some("AGAIN"),
            Transition::Fail(_) => Some("NEVER"),
            _ => None,
        };
        if matches!(transition, Transition::Complete(_) | Transition::Wait { .. }) {
            job.resumed_with = None;
        }
        self.seen.insert(label);
        Ok(Recorded::Written)
    }

    /// Makes the runner of one of the running jobs look dead.
    pub(super) async fn silence(&mut self, f: &Fixture, job: usize) -> Result<(), String> {
        let mut running: Vec<_> = self.jobs.iter_mut().filter(|job| job.can_fall_silent()).collect();
        if running.is_empty() {
            return Ok(());
        }
        let job = job % running.len();
        silence(f, &running[job].id).await;
        running[job].is_silent = true;
        Ok(())
    }

    pub(super) async fn reap(&mut self, f: &Fixture, limit: u32) -> Result<(), String> {
        let rows = super::rows(f).await;
        let stalled = |number: &usize| {
            let job = &self.jobs[*number];
            job.is_silent && job.state.status == Status::Running
        };
        let mut stalled: Vec<usize> = (0..self.jobs.len()).filter(stalled).collect();
        stalled.sort_by_key(|number| {
            let job = &self.jobs[*number];
            (rows[&job.id].heartbeat_at, job.id.clone())
        });
        let exhausted = |number: &usize| {
            let State { status, attempts, max_attempts, .. } = self.jobs[*number].state;
            status == Status::Pending && attempts >= max_attempts
        };
        let mut exhausted: Vec<usize> = (0..self.jobs.len()).filter(exhausted).collect();
        exhausted.sort_by_key(|number| self.jobs[*number].id.clone());
        exhausted.truncate(limit as usize);
        let mut expected = Vec::new();
        for number in stalled.into_iter().take(limit as usize).chain(exhausted) {
            expected.push(self.take(number)?);
        }
        let mut reaped = f.store.reap(STALLED, limit).await.unwrap();
        for taken in [&mut reaped, &mut expected] {
            taken.sort_by(|a, b| a.lease.job_id.cmp(&b.lease.job_id));
        }
        same("the reaped jobs", reaped, expected)
    }

    fn take(&mut self, number: usize) -> Result<Reaped, String> {
        let job = &mut self.jobs[number];
        let before = job.state;
        let after = next(&before, Event::Reap).ok_or("the table has no such row")?;
        job.remember(before.attempts, "stalled");
        let instance_id = job.instance_id.clone().unwrap_or_default();
        job.turn_into(after);
        job.error = Some("STALLED");
        self.seen.insert("stalled");
        if job.state.status == Status::Failed {
            self.seen.insert("stalled on the last attempt");
        }
        Ok(Reaped {
            lease: Lease { job_id: job.id.clone(), instance_id },
            attempt: before.attempts,
            handler: crate::given::HANDLER.into(),
            runner_id: job.runner_id.clone(),
            status: job.state.status,
        })
    }
}
