use crate::job::{InvalidJob, JsonError};
use std::time::Duration;

/// What a caller can do about a store's failure; one variant a reaction.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The job belongs to another attempt by now, or was cancelled. Drop what was to be written.
    #[error("the lease is lost: the job was cancelled or belongs to another attempt")]
    LeaseLost,
    /// The database does not answer, or asks to try again. Back off and repeat.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The request is not acceptable. Tell whoever made it.
    #[error("{0}")]
    Invalid(String),
    /// The tables are missing, older or newer than this program.
    #[error("{0}")]
    Schema(String),
    /// A statement failed for a reason that no caller can mend: a bug, or rows written by others
    /// that break the rules.
    #[error("the database refused a statement: {0}")]
    Internal(String),
}

impl StoreError {
    /// A call that was given up after its deadline.
    pub(crate) fn timed_out(after: Duration) -> Self {
        StoreError::Unavailable(format!("no answer within {} s", after.as_secs()))
    }
}

impl From<InvalidJob> for StoreError {
    fn from(error: InvalidJob) -> Self {
        StoreError::Invalid(error.to_string())
    }
}

impl From<JsonError> for StoreError {
    fn from(error: JsonError) -> Self {
        StoreError::Invalid(error.to_string())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                from_database(&code, database.message())
            }
            PoolTimedOut => StoreError::Unavailable("no connection became free in time".into()),
            Io(_) | Tls(_) | PoolClosed | WorkerCrashed | Protocol(_) => {
                StoreError::Unavailable(error.to_string())
            }
            _ => StoreError::Internal(error.to_string()),
        }
    }
}

/// Codes are SQLSTATEs for Postgres (its manual, appendix A) and extended result codes for SQLite
/// (sqlite.org/rescode.html), whose lowest byte is the primary code.
fn from_database(code: &str, message: &str) -> StoreError {
    if code.len() == 5 {
        let away = ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class));
        // 40: serialization failure and deadlock; 55P03: lock not available; 25006: a standby.
        if away || code.starts_with("40") || matches!(code, "55P03" | "25006") {
            return StoreError::Unavailable(message.into());
        }
        return match code {
            "42P01" | "42703" | "42883" | "3F000" => StoreError::Schema(format!(
                "the database lacks FlowMonkey's tables or has other ones ({message}); run `flowmonkey migrate`"
            )),
            "23503" => StoreError::Invalid(format!("the execution does not exist ({message})")),
            // Data exceptions, broken checks, limits of the program: the value is at fault.
            _ if code.starts_with("22") || code.starts_with("54") || code == "23514" => {
                StoreError::Invalid(message.into())
            }
            _ => StoreError::Internal(format!("{message} (SQLSTATE {code})")),
        };
    }
    match code.parse::<u32>().map(|code| (code & 0xff, code)) {
        // BUSY, LOCKED, NOMEM, IOERR, FULL, CANTOPEN, PROTOCOL
        Ok((5 | 6 | 7 | 10 | 13 | 14 | 15, _)) => StoreError::Unavailable(message.into()),
        Ok((_, 787)) => StoreError::Invalid("the execution does not exist".into()),
        // TOOBIG, CONSTRAINT
        Ok((18 | 19, 18 | 275)) => StoreError::Invalid(message.into()),
        Ok((1, _)) if message.starts_with("no such") => StoreError::Schema(format!(
            "the database lacks FlowMonkey's tables or has other ones ({message}); run `flowmonkey migrate`"
        )),
        _ => StoreError::Internal(format!("{message} (SQLite code {code})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_reaction() {
        use StoreError::{Internal, Invalid, Schema, Unavailable};
        for code in ["08006", "57P01", "53300", "40P01", "40001", "55P03", "5", "517", "13"] {
            assert!(matches!(from_database(code, "m"), Unavailable(_)), "{code}");
        }
        for code in ["42P01", "42703"] {
            assert!(matches!(from_database(code, "m"), Schema(_)), "{code}");
        }
        assert!(matches!(from_database("1", "no such table: fm_jobs"), Schema(_)));
        for code in ["23503", "787", "22021", "22012", "54000", "23514", "18", "275"] {
            assert!(matches!(from_database(code, "m"), Invalid(_)), "{code}");
        }
        for code in ["23505", "1555", "1", "26000", ""] {
            assert!(matches!(from_database(code, "m"), Internal(_)), "{code}");
        }
    }
}
