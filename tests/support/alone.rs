//! An attempt without a store behind it, as benchmarks and fuzzers run it.

use async_trait::async_trait;
use flowmonkey_jobs::job::{JsonText, Progress};
use flowmonkey_jobs::sandbox::{
    AttemptContext, AttemptHost, Control, Grants, HostFault, JobFacts, Limits, LogLevel,
};
use std::sync::Arc;

/// Where nothing arrives: what a guest writes is gone, or never comes back.
#[derive(Debug, Clone, Copy)]
pub enum Nowhere {
    /// Every call succeeds at once.
    Prompt,
    /// No call ever returns, as with a database that hangs.
    Hanging,
}

impl Nowhere {
    async fn answer(self) -> Result<(), HostFault> {
        match self {
            Nowhere::Prompt => Ok(()),
            Nowhere::Hanging => std::future::pending().await,
        }
    }
}

#[async_trait]
impl AttemptHost for Nowhere {
    async fn save_checkpoint(&self, _: &str, _: &JsonText) -> Result<(), HostFault> {
        self.answer().await
    }
    async fn delete_checkpoint(&self, _: &str) -> Result<(), HostFault> {
        self.answer().await
    }
    async fn clear_checkpoints(&self) -> Result<(), HostFault> {
        self.answer().await
    }
    fn progress(&self, _: Progress) {}
    fn log(&self, _: LogLevel, _: &str, _: &[(String, String)]) {}
}

/// Of the first attempt of a job of this handler.
pub fn facts(handler: &str) -> JobFacts {
    JobFacts {
        id: "job-1".into(),
        handler: handler.into(),
        execution_id: None,
        step_id: None,
        attempt: 1,
        max_attempts: 3,
        resumed_with: None,
        deadline_ms: None,
        trace_parent: None,
    }
}

/// The first attempt of a job with this input, without grants.
pub fn attempt(host: Nowhere, input: JsonText, limits: Limits) -> AttemptContext {
    AttemptContext {
        facts: facts("alone"),
        input,
        checkpoint: None,
        limits,
        grants: Grants::default(),
        config: Arc::default(),
        host: Arc::new(host),
        control: Control::default(),
        playback: None,
    }
}
