//! Every statement of this engine. A test prepares each against a migrated database.

/// Name and text, in the order in which they are applied.
pub(super) const MIGRATIONS: &[(&str, &str)] =
    &[("jobs", include_str!("../../../../migrations/sqlite/0001_jobs.sql"))];

/// How many migrations the database has.
pub(super) const SCHEMA_VERSION: &str = include_str!("schema_version.sql");

macro_rules! statements {
    ($($name:ident = $file:literal;)*) => {
        $(pub(super) const $name: &str = include_str!($file);)*

        /// File name and text of every statement, for the test that prepares them.
        pub const STATEMENTS: &[(&str, &str)] = &[$(($file, $name)),*];
    };
}

statements! {
    ANNOUNCE = "announce.sql";
    BY_EXECUTION = "by_execution.sql";
    CANCEL = "cancel.sql";
    CHECKPOINT = "checkpoint.sql";
    CLAIM = "claim.sql";
    CREATE = "create.sql";
    FIND_STALLED = "find_stalled.sql";
    GET = "get.sql";
    HEARTBEAT = "heartbeat.sql";
    LEASE_STATES = "lease_states.sql";
    LIST = "list.sql";
    PROGRESS = "progress.sql";
    REAP = "reap.sql";
    RECORDED = "recorded.sql";
    RECORD = "record.sql";
    RETRY = "retry.sql";
    RUNNERS = "runners.sql";
    SET_CHECKPOINT = "set_checkpoint.sql";
    STATUS = "status.sql";
    WITHDRAW = "withdraw.sql";
}
