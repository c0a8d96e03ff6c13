use super::{Trial, TrialLine, TrialReport, Values};
use crate::job::{JsonText, Keep, NewJob, Progress, Report};
use crate::sandbox::{AttemptHost, Directive, HostFault, LogLevel, MadeRequest};
use crate::store::{ContextFault, EffectFault, check_context};
use async_trait::async_trait;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A guest may report without end; the last are kept.
const PROGRESS_KEPT_MAX: usize = 100;

/// What a guest's calls reach in a trial: this memory, and nothing else.
pub(super) struct TrialHost {
    memory: Mutex<Memory>,
    /// A job that was cancelled is nobody's any more: the store refuses what its attempt still calls.
    lost: bool,
}

#[derive(Default)]
struct Memory {
    checkpoint: Values,
    context: Option<Values>,
    enqueued: Vec<(String, NewJob)>,
    idempotency: Values,
    lines: Vec<TrialLine>,
    progress: VecDeque<Progress>,
    calls: BTreeMap<&'static str, u64>,
}

impl Memory {
    fn context(&mut self) -> Result<&mut Values, HostFault> {
        self.context.as_mut().ok_or_else(|| ContextFault::NoExecution.into())
    }
}

impl TrialHost {
    pub(super) fn new(trial: &Trial) -> Self {
        let Trial { checkpoint, context, idempotency, .. } = trial.clone();
        let memory = Memory { checkpoint, context, idempotency, ..Memory::default() };
        TrialHost { memory: Mutex::new(memory), lost: trial.directive == Directive::Cancel }
    }

    pub(super) fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.memory().calls.clone()
    }

    /// What is in memory now; the attempt is over.
    pub(super) fn report(
        &self,
        report: Report,
        requests: Vec<MadeRequest>,
        calls: BTreeMap<&'static str, u64>,
    ) -> TrialReport {
        let memory = std::mem::take(&mut *self.memory());
        TrialReport {
            outcome: report.outcome,
            usage: report.usage,
            lines: memory.lines,
            progress: memory.progress.into(),
            checkpoint: memory.checkpoint,
            context: memory.context,
            enqueued: memory.enqueued,
            idempotency: memory.idempotency,
            requests,
            calls,
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory, for a call of this name.
    fn called(&self, name: &'static str) -> MutexGuard<'_, Memory> {
        let mut memory = self.memory();
        *memory.calls.entry(name).or_default() += 1;
        memory
    }

    /// The memory, for a call that a runner would take to its store.
    fn store(&self, name: &'static str) -> Result<MutexGuard<'_, Memory>, HostFault> {
        let memory = self.called(name);
        if self.lost { Err(HostFault::LeaseLost) } else { Ok(memory) }
    }
}

#[async_trait]
impl AttemptHost for TrialHost {
    async fn save_checkpoint(&self, key: &str, value: &JsonText) -> Result<(), HostFault> {
        self.store("checkpoint.save")?.checkpoint.insert(key.to_owned(), value.clone());
        Ok(())
    }

    async fn delete_checkpoint(&self, key: &str) -> Result<(), HostFault> {
        self.store("checkpoint.delete")?.checkpoint.remove(key);
        Ok(())
    }

    async fn clear_checkpoints(&self) -> Result<(), HostFault> {
        self.store("checkpoint.clear")?.checkpoint.clear();
        Ok(())
    }

    async fn context_value(&self, key: &str) -> Result<Option<JsonText>, HostFault> {
        Ok(self.store("context.get")?.context()?.get(key).cloned())
    }

    async fn context_keys(&self) -> Result<Vec<String>, HostFault> {
        Ok(self.store("context.keys")?.context()?.keys().cloned().collect())
    }

    async fn set_context(&self, key: &str, value: &JsonText) -> Result<(), HostFault> {
        let mut memory = self.store("context.set")?;
        let context = memory.context()?;
        let others = context.iter().filter(|(other, _)| *other != key);
        let bytes: usize = others.clone().map(|(key, value)| key.len() + value.as_str().len()).sum();
        check_context(bytes + key.len() + value.as_str().len(), others.count() + 1)?;
        context.insert(key.to_owned(), value.clone());
        Ok(())
    }

    async fn delete_context(&self, key: &str) -> Result<(), HostFault> {
        self.store("context.delete")?.context()?.remove(key);
        Ok(())
    }

    async fn enqueue(&self, job: NewJob, pending_max: u32) -> Result<String, HostFault> {
        let mut memory = self.store("queue.enqueue")?;
        let of_handler = || memory.enqueued.iter().filter(|(_, other)| other.handler == job.handler);
        let holds_key = |other: &NewJob| job.unique.is_some() && other.unique == job.unique;
        if let Some((id, _)) = of_handler().find(|(_, other)| holds_key(other)) {
            return Ok(id.clone());
        }
        if of_handler().count() >= pending_max as usize {
            return Err(EffectFault::QueueFull { handler: job.handler, max: pending_max }.into());
        }
        let id = format!("test-child-{}", memory.enqueued.len() + 1);
        memory.enqueued.push((id.clone(), job));
        Ok(id)
    }

    async fn look_up_idempotency(&self, key: &str) -> Result<Option<JsonText>, HostFault> {
        Ok(self.store("idempotency.lookup")?.idempotency.get(key).cloned())
    }

    async fn record_idempotency(&self, key: &str, value: &JsonText, _: Keep) -> Result<(), HostFault> {
        let mut memory = self.store("idempotency.record")?;
        let recorded = memory.idempotency.entry(key.to_owned()).or_insert_with(|| value.clone());
        if recorded == value { Ok(()) } else { Err(EffectFault::KeyTaken(key.to_owned()).into()) }
    }

    fn progress(&self, progress: Progress) {
        let mut memory = self.called("control.progress");
        if memory.progress.len() == PROGRESS_KEPT_MAX {
            memory.progress.pop_front();
        }
        memory.progress.push_back(progress);
    }

    fn log(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let line = TrialLine { level, message: message.to_owned(), fields: fields.to_vec() };
        self.called("log").lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Unique;

    fn text(text: &str) -> JsonText {
        JsonText::parse(text).unwrap()
    }

    fn host(context: Option<Values>) -> TrialHost {
        TrialHost::new(&Trial { context, ..Trial::new(text("null")) })
    }

    #[tokio::test]
    async fn what_is_recorded_first_stands() {
        let host = host(None);
        assert_eq!(host.record_idempotency("k", &text("1"), Keep::FOR_GOOD).await, Ok(()));
        assert_eq!(host.record_idempotency("k", &text("1"), Keep::FOR_GOOD).await, Ok(()));
        let other = host.record_idempotency("k", &text("2"), Keep::FOR_GOOD).await;
        assert!(matches!(other, Err(HostFault::Invalid(_))), "{other:?}");
        assert_eq!(host.look_up_idempotency("k").await, Ok(Some(text("1"))));
    }

    #[tokio::test]
    async fn a_unique_key_holds_and_a_full_queue_takes_nothing() {
        let host = host(None);
        let job = |handler: &str, key: &str| NewJob {
            unique: Some(Unique::active(key)),
            ..NewJob::new(handler, text("1"))
        };
        let one = host.enqueue(job("a", "k"), 2).await.unwrap();
        assert_eq!(host.enqueue(job("a", "k"), 2).await, Ok(one.clone()));
        assert_ne!(host.enqueue(job("b", "k"), 2).await, Ok(one));
        let plain = || NewJob::new("a", text("1"));
        assert!(host.enqueue(plain(), 2).await.is_ok());
        let full = host.enqueue(plain(), 2).await;
        assert!(matches!(full, Err(HostFault::LimitExceeded(_))), "{full:?}");
    }

    #[tokio::test]
    async fn a_context_has_the_stores_bounds_and_an_execution() {
        let denied = host(None).set_context("k", &text("1")).await;
        assert!(matches!(denied, Err(HostFault::Denied(_))), "{denied:?}");
        let host = host(Some(Values::new()));
        let large = text(&format!("\"{}\"", "x".repeat(1024 * 1024 - 100)));
        for n in 0..10 {
            assert_eq!(host.set_context(&format!("{n}"), &large).await, Ok(()));
        }
        assert_eq!(host.set_context("0", &large).await, Ok(()), "the old value makes room");
        let over = host.set_context("10", &large).await;
        assert!(matches!(over, Err(HostFault::LimitExceeded(_))), "{over:?}");
    }

    #[tokio::test]
    async fn of_a_cancelled_job_nothing_is_read_or_written() {
        let values = || Values::from([("k".to_owned(), text("1"))]);
        let trial = Trial {
            directive: Directive::Cancel,
            checkpoint: values(),
            context: Some(values()),
            idempotency: values(),
            ..Trial::new(text("null"))
        };
        let host = TrialHost::new(&trial);
        let other = text("2");
        let lost = HostFault::LeaseLost;
        assert_eq!(host.save_checkpoint("k", &other).await, Err(lost.clone()));
        assert_eq!(host.delete_checkpoint("k").await, Err(lost.clone()));
        assert_eq!(host.clear_checkpoints().await, Err(lost.clone()));
        assert_eq!(host.context_value("k").await, Err(lost.clone()));
        assert_eq!(host.context_keys().await, Err(lost.clone()));
        assert_eq!(host.set_context("k", &other).await, Err(lost.clone()));
        assert_eq!(host.delete_context("k").await, Err(lost.clone()));
        assert_eq!(host.enqueue(NewJob::new("a", text("1")), 2).await, Err(lost.clone()));
        assert_eq!(host.look_up_idempotency("k").await, Err(lost.clone()));
        assert_eq!(host.record_idempotency("l", &other, Keep::FOR_GOOD).await, Err(lost));
        host.progress(Progress { percent: 1.0, message: None });
        let memory = host.memory();
        assert_eq!((memory.calls.len(), memory.progress.len(), memory.enqueued.len()), (11, 1, 0));
        assert_eq!((&memory.checkpoint, &memory.idempotency), (&values(), &values()));
        assert_eq!(memory.context, Some(values()));
    }

    #[tokio::test]
    async fn a_runner_that_stops_still_takes_what_is_saved() {
        let host = TrialHost::new(&Trial { directive: Directive::Drain, ..Trial::new(text("null")) });
        assert_eq!(host.save_checkpoint("k", &text("1")).await, Ok(()));
    }

    #[test]
    fn reports_without_end_fill_no_memory() {
        let host = host(None);
        (0..1000u16).for_each(|n| host.progress(Progress { percent: n.into(), message: None }));
        let memory = host.memory();
        assert_eq!((memory.progress.len(), memory.calls["control.progress"]), (100, 1000));
        assert_eq!(memory.progress.back().unwrap().percent, 999.0);
    }
}
