//! Attempts without a store.

use async_trait::async_trait;
use flowmonkey_jobs::job::{JsonText, Progress};
use flowmonkey_jobs::sandbox::{
    AttemptContext, AttemptHost, Control, Grants, HostFault, JobFacts, Limits, LogLevel,
};
use std::sync::Arc;

/// Nothing is kept, and no call that would keep something ever returns.
struct Nowhere;

#[async_trait]
impl AttemptHost for Nowhere {
    async fn save_checkpoint(&self, _: &str, _: &JsonText) -> Result<(), HostFault> {
        std::future::pending().await
    }

    async fn delete_checkpoint(&self, _: &str) -> Result<(), HostFault> {
        std::future::pending().await
    }

    async fn clear_checkpoints(&self) -> Result<(), HostFault> {
        std::future::pending().await
    }

    fn progress(&self, _: Progress) {}

    fn log(&self, _: LogLevel, _: &str, _: &[(String, String)]) {}
}

/// An attempt of a job that nobody stored.
pub(super) fn context(input: JsonText, limits: Limits) -> AttemptContext {
    AttemptContext {
        facts: JobFacts {
            id: "0197a3f5c0de7aaabbbbccccddddeeee".into(),
            handler: super::fleet::HANDLER.into(),
            execution_id: None,
            step_id: None,
            attempt: 1,
            max_attempts: 3,
            resumed_with: None,
            deadline_ms: Some(1_800_000_000_000),
            trace_parent: None,
        },
        input,
        checkpoint: None,
        limits,
        grants: Grants::default(),
        config: Arc::default(),
        host: Arc::new(Nowhere),
        control: Control::default(),
        playback: None,
    }
}
