//! One attempt and what it may not do: small hostile guests, each with a twin that behaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admission;
mod border;
mod capability;
mod compile;
mod config;
mod describe;
mod examples;
mod fuzzed;
mod hostile;
mod http;
mod idempotency;
mod interruption;
mod isolation;
mod outcomes;
mod queue;
mod rig;
mod storms;
mod suite;
