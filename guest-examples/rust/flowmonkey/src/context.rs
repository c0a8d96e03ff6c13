use crate::time::from_unix_millis;
use crate::wit::imports::flowmonkey::jobs::{control, job};
use crate::{Checkpoint, Config, Error, Execution, Http, Idempotency, Log, Queue, Result, json};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::time::SystemTime;

pub use crate::wit::imports::flowmonkey::jobs::types::Directive;

/// The running attempt: the facts about its job, the dialogue with the host, and what it may use.
#[derive(Debug)]
pub struct Context(());

/// Facts about the job and this attempt.
impl Context {
    pub(crate) fn new() -> Self {
        Context(())
    }

    /// The job's id; the same in every attempt.
    pub fn id(&self) -> String {
        job::id()
    }

    /// The name the handler was enqueued under.
    pub fn handler(&self) -> String {
        job::handler()
    }

    /// The number of this attempt; the first is 1.
    pub fn attempt(&self) -> u32 {
        job::attempt()
    }

    /// How many attempts the job has in all.
    pub fn max_attempts(&self) -> u32 {
        job::max_attempts()
    }

    /// A key that is the same in every attempt of this job and differs between jobs: hand it to services
    /// that drop repeated requests.
    pub fn idempotency_key(&self) -> String {
        job::idempotency_key()
    }

    /// The workflow execution the job belongs to, if any.
    pub fn execution_id(&self) -> Option<String> {
        job::execution_id()
    }

    /// The step of that execution that the job is.
    pub fn step_id(&self) -> Option<String> {
        job::step_id()
    }

    /// When this attempt will be interrupted.
    pub fn deadline(&self) -> Option<SystemTime> {
        job::deadline_ms().map(from_unix_millis)
    }

    /// What the job was resumed with after its last wait, if anything; the same in every attempt until the
    /// handler waits again.
    ///
    /// # Errors
    /// `BAD_VALUE` where it is no `T`.
    pub fn resumed_with<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        json::answer(Ok(job::resumed_with()), "what the job was resumed with")
    }

    /// The W3C `traceparent` under which the job was enqueued.
    pub fn trace_parent(&self) -> Option<String> {
        job::trace_parent()
    }
}

/// The dialogue of a long attempt with the host.
impl Context {
    /// Says that the attempt is alive, and asks whether to go on. Cheap: call it in every turn of a long
    /// loop, and let `?` end the attempt. The runner keeps the job's lease by itself.
    ///
    /// # Errors
    /// [`Error::cancelled`] when the job was cancelled or lost, or when the runner is stopping. A handler
    /// that has something to save first asks for the [`Context::directive`].
    pub fn heartbeat(&self) -> Result<()> {
        obey(control::heartbeat())
    }

    /// As [`Context::heartbeat`], but says what the host wants: on [`Directive::Drain`] there is time to
    /// save a checkpoint and return [`Error::cancelled`], or to finish if that is quicker.
    pub fn directive(&self) -> Directive {
        control::heartbeat()
    }

    /// Whether the job was cancelled or lost, without counting as a sign of life.
    pub fn cancelled(&self) -> bool {
        control::cancelled()
    }

    /// Reports how far the work is, from 0 to 100, for people to see; values outside are clamped, and an
    /// empty message is none. Also a heartbeat. Reports that follow each other closely are thinned out; the
    /// last one is kept.
    ///
    /// # Errors
    /// As [`Context::heartbeat`].
    pub fn progress(&self, percent: f32, message: impl Display) -> Result<()> {
        let message = Some(message.to_string()).filter(|message| !message.is_empty());
        obey(control::progress(percent, message.as_deref()))
    }
}

fn obey(directive: Directive) -> Result<()> {
    match directive {
        Directive::Proceed => Ok(()),
        Directive::Cancel | Directive::Drain => Err(Error::cancelled()),
    }
}

/// What the attempt may use.
impl Context {
    /// What survives an attempt.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint(())
    }

    /// The context of the workflow execution that the job belongs to. Needs the grant `context`.
    pub fn execution(&self) -> Execution {
        Execution(())
    }

    /// Jobs for other handlers. Needs the grant `queue`.
    pub fn queue(&self) -> Queue {
        Queue(())
    }

    /// Memory for "has this been done already?". Needs the grant `idempotency`.
    pub fn idempotency(&self) -> Idempotency {
        Idempotency(())
    }

    /// Lines for the people who run the handler.
    pub fn log(&self) -> Log {
        Log(())
    }

    /// What the operator has set for the handler. Needs the grant `config`.
    pub fn config(&self) -> Config {
        Config(())
    }

    /// Requests to other services. Needs the grant `http`.
    pub fn http(&self) -> Http {
        Http(())
    }
}
