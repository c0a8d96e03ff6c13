//! Interfaces of the contract that no operator can grant yet. They are linked all the same, so that a
//! handler which imports them loads, and hears why when it calls.

use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::types::HostError;
use crate::sandbox::bindings::flowmonkey::jobs::{context, idempotency, queue};
use wasmtime::Result;

type Answer<T> = Result<std::result::Result<T, HostError>>;

fn denied<T>(grant: &str) -> Answer<T> {
    Ok(Err(HostError::Denied(format!("this handler has no grant `{grant}`"))))
}

impl context::Host for AttemptState {
    async fn get(&mut self, _: String) -> Answer<Option<String>> {
        denied("context")
    }
    async fn set(&mut self, _: String, _: String) -> Answer<()> {
        denied("context")
    }
    async fn delete(&mut self, _: String) -> Answer<()> {
        denied("context")
    }
    async fn keys(&mut self) -> Answer<Vec<String>> {
        denied("context")
    }
}

impl queue::Host for AttemptState {
    async fn enqueue(&mut self, _: queue::Request) -> Answer<String> {
        denied("queue")
    }
}

impl idempotency::Host for AttemptState {
    async fn lookup(&mut self, _: String) -> Answer<Option<String>> {
        denied("idempotency")
    }
    async fn record(&mut self, _: String, _: String, _: Option<u64>) -> Answer<()> {
        denied("idempotency")
    }
}
