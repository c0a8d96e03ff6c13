//! What applications and operators ask for.

use super::{Model, Modelled, same};
use crate::given::{HANDLER, json, new_job};
use flowmonkey_jobs::job::{Event, NewJob, State, Status, Unique, next};
use flowmonkey_jobs::store::{Changed, RetryFilter};
use flowmonkey_tests::database::Fixture;

impl Model {
    pub(super) async fn create(
        &mut self,
        f: &Fixture,
        max_attempts: u32,
        priority: i16,
        key: Option<u8>,
    ) -> Result<(), String> {
        let unique = key.map(|key| Unique::active(key.to_string()));
        let job = NewJob { max_attempts, priority, unique, ..new_job() };
        let created = f.store.create(job).await.unwrap();
        let holder = self.holder(key).map(|holder| self.jobs[holder].id.clone());
        same("is new", created.is_new, holder.is_none())?;
        if let Some(holder) = holder {
            self.seen.insert("key held");
            return same("holder of the key", created.job.id, holder);
        }
        self.seen.insert("created");
        self.jobs.push(Modelled {
            id: created.job.id,
            state: State::created(max_attempts),
            priority,
            key,
            instance_id: None,
            runner_id: None,
            error: None,
            resumed_with: None,
            is_silent: false,
            history: Vec::new(),
        });
        Ok(())
    }

    /// The job that nobody may share this key with.
    fn holder(&self, key: Option<u8>) -> Option<usize> {
        let key = key?;
        self.jobs.iter().position(|job| job.key == Some(key) && job.is_active())
    }

    pub(super) async fn cancel(&mut self, f: &Fixture, job: usize) -> Result<(), String> {
        let Some(number) = self.pick(job) else { return Ok(()) };
        let changed = f.store.cancel(&self.jobs[number].id).await.unwrap();
        let expected = self.change(number, Event::Cancel);
        same("cancel", changed, expected)
    }

    pub(super) async fn retry(&mut self, f: &Fixture, job: usize) -> Result<(), String> {
        let Some(number) = self.pick(job) else { return Ok(()) };
        let changed = f.store.retry(&self.jobs[number].id).await.unwrap();
        let expected = self.change(number, Event::Retry);
        same("retry", changed, expected)
    }

    pub(super) async fn resume(&mut self, f: &Fixture, job: usize) -> Result<(), String> {
        let Some(number) = self.pick(job) else { return Ok(()) };
        self.payloads += 1;
        let payload = json(&self.payloads.to_string());
        let changed = f.store.resume(&self.jobs[number].id, Some(&payload)).await.unwrap();
        let expected = self.change(number, Event::Resume);
        if expected == Changed::Yes {
            self.seen.insert("resumed");
            self.jobs[number].resumed_with = Some(self.payloads);
        }
        same("resume", changed, expected)
    }

    /// Those without a key, then those with one, the one that changed last first.
    pub(super) async fn retry_many(&mut self, f: &Fixture, status: Status) -> Result<(), String> {
        let rows = super::rows(f).await;
        let filter = RetryFilter { status: Some(status), handler: Some(HANDLER.into()) };
        let retried = f.store.retry_many(&filter).await.unwrap();
        let mut wanted: Vec<usize> =
            (0..self.jobs.len()).filter(|number| self.jobs[*number].state.status == status).collect();
        wanted.sort_by_key(|number| {
            let job = &self.jobs[*number];
            (job.key.is_none(), rows[&job.id].updated_at, job.id.clone())
        });
        let mut expected = 0;
        for number in wanted.into_iter().rev() {
            expected += u64::from(self.change(number, Event::Retry) == Changed::Yes);
        }
        if expected > 1 {
            self.seen.insert("retried many");
        }
        same("how many are retried", retried, expected)
    }

    /// What somebody's wish comes to.
    fn change(&mut self, number: usize, event: Event<'_>) -> Changed {
        let holder = self.holder(self.jobs[number].key);
        let job = &mut self.jobs[number];
        let before = job.state;
        let Some(after) = next(&before, event) else {
            self.seen.insert("refused");
            return Changed::NotFrom(before.status);
        };
        if matches!(event, Event::Retry) && holder.is_some() {
            self.seen.insert("key taken");
            return Changed::KeyTaken;
        }
        job.turn_into(after);
        if before.status == Status::Running {
            job.remember(before.attempts, "cancelled");
            self.seen.insert("cancelled");
        }
        self.seen.insert("changed");
        Changed::Yes
    }
}
