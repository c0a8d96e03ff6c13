use crate::time::{millis, unix_millis};
use crate::wit::imports::flowmonkey::jobs::queue::{self, Request, Start};
use crate::{Error, Result, json};
use serde::Serialize;
use std::time::{Duration, SystemTime};

/// Jobs for other handlers. Needs `queue = ["digest-send"]` under `[grants]`, which names the handlers that may
/// be enqueued.
#[derive(Debug)]
pub struct Queue(pub(crate) ());

impl Queue {
    /// Creates a job and returns its id. The job is durable when this returns: it stays even if this attempt
    /// fails, so give it a [`NewJob::unique_key`] in a handler that may run twice. It belongs to this job's
    /// execution, as no step of it. An attempt may create `enqueues` jobs (100).
    ///
    /// ```no_run
    /// # use flowmonkey::{Context, NewJob, Result, json};
    /// # use std::time::Duration;
    /// # fn example(ctx: &Context) -> Result<()> {
    /// let digest = NewJob::new("digest-send", json!({ "to": "ada@example.com" }))
    ///     .after(Duration::from_secs(3600))
    ///     .unique_key("digest-ada");
    /// let id = ctx.queue().enqueue(digest)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub fn enqueue(&self, job: NewJob<impl Serialize>) -> Result<String> {
        let NewJob { handler, input, start, priority, max_attempts, unique_key } = job;
        let input = json::write(&input)?;
        queue::enqueue(&Request { handler, input, start, priority, max_attempts, unique_key })
            .map_err(Error::host)
    }
}

/// A job to be. What is not said is the other handler's own setting.
#[derive(Debug, Clone)]
pub struct NewJob<I> {
    handler: String,
    input: I,
    start: Option<Start>,
    priority: Option<u8>,
    max_attempts: Option<u32>,
    unique_key: Option<String>,
}

impl<I: Serialize> NewJob<I> {
    /// A job for a handler, due now.
    pub fn new(handler: impl Into<String>, input: I) -> Self {
        let handler = handler.into();
        NewJob { handler, input, start: None, priority: None, max_attempts: None, unique_key: None }
    }

    /// Due in so much time.
    pub fn after(mut self, pause: Duration) -> Self {
        self.start = Some(Start::After(millis(pause)));
        self
    }

    /// Due at a moment.
    pub fn at(mut self, moment: SystemTime) -> Self {
        self.start = Some(Start::At(unix_millis(moment)));
        self
    }

    /// From 0 (first) to 9 (last).
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// How many attempts it has in all.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// While a job with this key and handler is pending or running, no second one is created and the first
    /// one's id is returned.
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }
}
