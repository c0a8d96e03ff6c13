//! What a job costs, counted: statements, allocations, instructions. Counts do not hang on how busy a machine is, so
//! they can be compared; times are measured by `flowmonkey bench`. Each bound is some half above what was counted.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod allocations;
mod instructions;
mod memory;
mod statements;
