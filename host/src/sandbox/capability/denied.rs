//! Interfaces of the contract that no operator can grant yet. They are linked all the same, so that a
//! handler which imports them loads, and hears why when it calls.

use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::types::HostError;
use crate::sandbox::bindings::flowmonkey::jobs::{idempotency, queue};
use wasmtime::Result;

type Answer<T> = Result<std::result::Result<T, HostError>>;

fn denied<T>(grant: &str) -> Answer<T> {
    Ok(Err(super::denied(grant)))
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
