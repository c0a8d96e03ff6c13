//! The library end to end: a real store, the real sandbox, real components.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ahead;
mod cancel;
mod drain;
mod effects;
mod events;
mod executions;
mod fairness;
mod fleet;
mod folder;
mod handlers;
mod hot;
mod life;
mod notices;
mod outage;
mod pushed;
mod schedules;
mod schemas;
mod versions;
mod waits;
