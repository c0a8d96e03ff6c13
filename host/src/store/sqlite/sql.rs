//! Every statement of this engine. A test prepares each against a migrated database.

/// Name and text, in the order in which they are applied.
pub(super) const MIGRATIONS: &[(&str, &str)] = &[
    ("jobs", include_str!("../../../../migrations/sqlite/0001_jobs.sql")),
    ("life", include_str!("../../../../migrations/sqlite/0002_life.sql")),
    ("idempotency", include_str!("../../../../migrations/sqlite/0003_idempotency.sql")),
    ("handlers", include_str!("../../../../migrations/sqlite/0004_handlers.sql")),
    ("pace", include_str!("../../../../migrations/sqlite/0005_pace.sql")),
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
    CHECKPOINT = "checkpoint.sql";
    CLAIM = "claim.sql";
    COMPONENT = "component.sql";
    COUNT_OPEN = "count_open.sql";
    COUNT_PENDING = "count_pending.sql";
    COUNT_PINNED = "count_pinned.sql";
    CREATE = "create.sql";
    CREATE_HANDLER = "create_handler.sql";
    CREATE_PLAIN = "create_plain.sql";
    DATA_VERSION = "data_version.sql";
    DELETE_COMPONENT = "delete_component.sql";
    DELETE_HANDLER = "delete_handler.sql";
    DELETE_JOBS = "delete_jobs.sql";
    DELETE_VERSION = "delete_version.sql";
    DIGESTS = "digests.sql";
    DUE_SCHEDULES = "due_schedules.sql";
    EXECUTION = "execution.sql";
    FAIL_EXECUTION = "fail_execution.sql";
    FIND_STALLED = "find_stalled.sql";
    FIRE = "fire.sql";
    FORGET = "forget.sql";
    FORGET_EXPIRED = "forget_expired.sql";
    GET = "get.sql";
    GONE = "gone.sql";
    HANDLER = "handler.sql";
    HANDLER_ROWS = "handler_rows.sql";
    HAS_COMPONENT = "has_component.sql";
    HAS_EXPIRED = "has_expired.sql";
    HEARTBEAT = "heartbeat.sql";
    HOLDER = "holder.sql";
    INSERT_AUDIT = "insert_audit.sql";
    INSERT_COMPONENT = "insert_component.sql";
    INSERT_VERSION = "insert_version.sql";
    IS_DUE = "is_due.sql";
    IS_STALLED = "is_stalled.sql";
    KEYED = "keyed.sql";
    LEASED_CONTEXT = "leased_context.sql";
    LEASED_PARENT = "leased_parent.sql";
    LEASE_STATES = "lease_states.sql";
    LIST = "list.sql";
    LOOK_UP_IDEMPOTENCY = "look_up_idempotency.sql";
    MARK_ACTIVE = "mark_active.sql";
    MOVE_SCHEDULE = "move_schedule.sql";
    NOW = "now.sql";
    OLDER_VERSION = "older_version.sql";
    PAUSE_SCHEDULE = "pause_schedule.sql";
    PROGRESS = "progress.sql";
    PURGE = "purge.sql";
    PUT_SCHEDULE = "put_schedule.sql";
    REAP = "reap.sql";
    RECORD = "record.sql";
    RECORDED = "recorded.sql";
    RECORD_IDEMPOTENCY = "record_idempotency.sql";
    REMOVE_SCHEDULE = "remove_schedule.sql";
    REOPEN_EXECUTION = "reopen_execution.sql";
    RESUME = "resume.sql";
    RESUME_SCHEDULE = "resume_schedule.sql";
    RETRY = "retry.sql";
    RETRY_MANY = "retry_many.sql";
    RUNNERS = "runners.sql";
    SAME_VERSION = "same_version.sql";
    SCHEDULE = "schedule.sql";
    SCHEDULES = "schedules.sql";
    SET_CHECKPOINT = "set_checkpoint.sql";
    SET_CONTEXT = "set_context.sql";
    SET_HANDLER = "set_handler.sql";
    STATS = "stats.sql";
    STATUS = "status.sql";
    STEPS = "steps.sql";
    TAKE_PERIOD = "take_period.sql";
    VERSION = "version.sql";
    VERSIONS = "versions.sql";
    WAITING_CONTEXT = "waiting_context.sql";
    WAKE_EXECUTION = "wake_execution.sql";
    WITHDRAW = "withdraw.sql";
}
