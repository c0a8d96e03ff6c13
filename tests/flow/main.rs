//! The library end to end: a real store, the real sandbox, real components.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod drain;
mod fairness;
mod fleet;
mod life;
mod outage;
