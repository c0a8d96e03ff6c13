//! Every statement of this engine. A test prepares each against a migrated database.

/// Name and text, in the order in which they are applied.
pub(super) const MIGRATIONS: &[(&str, &str)] = &[
    ("jobs", include_str!("../../../../migrations/postgres/0001_jobs.sql")),
    ("life", include_str!("../../../../migrations/postgres/0002_life.sql")),
    ("idempotency", include_str!("../../../../migrations/postgres/0003_idempotency.sql")),
    ("handlers", include_str!("../../../../migrations/postgres/0004_handlers.sql")),
    ("pace", include_str!("../../../../migrations/postgres/0005_pace.sql")),
    ("timed keys", include_str!("../../../../migrations/postgres/0006_timed_keys.sql")),
    ("bytes", include_str!("../../../../migrations/postgres/0007_bytes.sql")),
];

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
    AUDIT = "audit.sql";
    BY_EXECUTION = "by_execution.sql";
    CANCEL = "cancel.sql";
    CANCEL_EXECUTION = "cancel_execution.sql";
    CLAIM = "claim.sql";
    CLEAR_CHECKPOINTS = "clear_checkpoints.sql";
    COMPONENT = "component.sql";
    CONTEXT_KEYS = "context_keys.sql";
    CONTEXT_VALUE = "context_value.sql";
    COUNT_OPEN = "count_open.sql";
    COUNT_PENDING = "count_pending.sql";
    COUNT_PINNED = "count_pinned.sql";
    COUNT_RUNNING = "count_running.sql";
    CREATE = "create.sql";
    CREATE_HANDLER = "create_handler.sql";
    CREATE_PLAIN = "create_plain.sql";
    DELETE_CHECKPOINT = "delete_checkpoint.sql";
    DELETE_COMPONENT = "delete_component.sql";
    DELETE_CONTEXT = "delete_context.sql";
    DELETE_HANDLER = "delete_handler.sql";
    DELETE_VERSION = "delete_version.sql";
    DIGESTS = "digests.sql";
    DUE_SCHEDULES = "due_schedules.sql";
    EXECUTION = "execution.sql";
    FIND_STALLED = "find_stalled.sql";
    FIRE = "fire.sql";
    FORGET = "forget.sql";
    FORGET_EXPIRED = "forget_expired.sql";
    GET = "get.sql";
    HANDLER_ROWS = "handler_rows.sql";
    HEARTBEAT = "heartbeat.sql";
    HOLDERS = "holders.sql";
    HOLD_COMPONENT = "hold_component.sql";
    INSERT_AUDIT = "insert_audit.sql";
    INSERT_COMPONENT = "insert_component.sql";
    INSERT_VERSION = "insert_version.sql";
    KEYED = "keyed.sql";
    LEASE_STATES = "lease_states.sql";
    LIST = "list.sql";
    LOCK_COMPONENT = "lock_component.sql";
    LOCK_FLEET = "lock_fleet.sql";
    LOCK_HANDLER = "lock_handler.sql";
    LOCK_JOBS_OF_EXECUTION = "lock_jobs_of_execution.sql";
    LOCK_LEASE = "lock_lease.sql";
    LOOK_UP_IDEMPOTENCY = "look_up_idempotency.sql";
    MARK_ACTIVE = "mark_active.sql";
    NOW = "now.sql";
    OLDER_VERSION = "older_version.sql";
    PAUSE_SCHEDULE = "pause_schedule.sql";
    PING = "ping.sql";
    PRESENT = "present.sql";
    PROGRESS = "progress.sql";
    PURGE = "purge.sql";
    PUT_SCHEDULE = "put_schedule.sql";
    REAP = "reap.sql";
    RECORD = "record.sql";
    RECORDED = "recorded.sql";
    RECORD_IDEMPOTENCY = "record_idempotency.sql";
    REMOVE_SCHEDULE = "remove_schedule.sql";
    RESUME = "resume.sql";
    RESUME_SCHEDULE = "resume_schedule.sql";
    RETRY = "retry.sql";
    RETRY_MANY = "retry_many.sql";
    RUNNERS = "runners.sql";
    SAME_VERSION = "same_version.sql";
    SAVE_CHECKPOINT = "save_checkpoint.sql";
    SCHEDULE = "schedule.sql";
    SCHEDULES = "schedules.sql";
    SET_CONTEXT = "set_context.sql";
    SET_HANDLER = "set_handler.sql";
    STATS = "stats.sql";
    STATUS = "status.sql";
    VERSION = "version.sql";
    VERSIONS = "versions.sql";
    WITHDRAW = "withdraw.sql";
}
