//! What the suites share: databases, guests, the program.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod alone;
pub mod certificates;
pub mod cluster;
pub mod database;
pub mod fuzzed;
pub mod guests;
pub mod program;
pub mod proxy;
pub mod registry;
pub mod server;
