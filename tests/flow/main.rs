//! The library end to end: a real store, the real sandbox, real components.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cancel;
mod drain;
mod effects;
mod events;
mod executions;
mod fairness;
mod fleet;
mod handlers;
mod life;
mod notices;
mod outage;
mod schedules;
mod waits;
