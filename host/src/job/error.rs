use super::JsonText;
use std::fmt;

/// A longer message is cut here.
pub const MESSAGE_BYTES_MAX: usize = 4096;
const CODE_BYTES_MAX: usize = 128;
const DETAILS_BYTES_MAX: usize = 16 * 1024;

/// The codes of errors that the host itself reports. Handlers have their own beside these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The attempt used up its instructions.
    OutOfFuel,
    /// The attempt's wall clock ran out.
    Timeout,
    /// The handler was silent for longer than its heartbeat timeout.
    HeartbeatTimeout,
    /// All memories together would have passed the limit.
    MemoryLimit,
    /// Calls were nested too deep.
    StackOverflow,
    /// A panic, an abort, `unreachable`, an exit, or another trap of the guest.
    Trap,
    /// The result is over its limit. Too much data in one host call is a `Trap`.
    OutputTooLarge,
    /// What the handler returned is not what the contract says.
    InvalidOutput,
    /// The handler cannot be called with this input.
    InvalidInput,
    /// The handler used what it was not granted.
    CapabilityDenied,
    /// The component could not be compiled, linked or instantiated.
    HandlerLoadFailed,
    /// The runner's heartbeat stopped; written by the reaper, never by a runner.
    Stalled,
    /// The handler said that it was cancelled though nobody had asked it to stop.
    Cancelled,
    /// The handler asked to wait more often than its settings allow.
    WaitLimit,
}

impl ErrorCode {
    /// Every code; a test finds each in the documentation.
    pub const ALL: [ErrorCode; 14] = [
        ErrorCode::OutOfFuel,
        ErrorCode::Timeout,
        ErrorCode::HeartbeatTimeout,
        ErrorCode::MemoryLimit,
        ErrorCode::StackOverflow,
        ErrorCode::Trap,
        ErrorCode::OutputTooLarge,
        ErrorCode::InvalidOutput,
        ErrorCode::InvalidInput,
        ErrorCode::CapabilityDenied,
        ErrorCode::HandlerLoadFailed,
        ErrorCode::Stalled,
        ErrorCode::Cancelled,
        ErrorCode::WaitLimit,
    ];

    /// The stored text.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::OutOfFuel => "OUT_OF_FUEL",
            ErrorCode::Timeout => "TIMEOUT",
            ErrorCode::HeartbeatTimeout => "HEARTBEAT_TIMEOUT",
            ErrorCode::MemoryLimit => "MEMORY_LIMIT",
            ErrorCode::StackOverflow => "STACK_OVERFLOW",
            ErrorCode::Trap => "TRAP",
            ErrorCode::OutputTooLarge => "OUTPUT_TOO_LARGE",
            ErrorCode::InvalidOutput => "INVALID_OUTPUT",
            ErrorCode::InvalidInput => "INVALID_INPUT",
            ErrorCode::CapabilityDenied => "CAPABILITY_DENIED",
            ErrorCode::HandlerLoadFailed => "HANDLER_LOAD_FAILED",
            ErrorCode::Stalled => "STALLED",
            ErrorCode::Cancelled => "CANCELLED",
            ErrorCode::WaitLimit => "WAIT_LIMIT",
        }
    }

    /// Whether another attempt may go better. Limits count as such: a new version may be pushed, and
    /// a handler with checkpoints gets further each time.
    pub fn is_retryable(self) -> bool {
        !matches!(self, ErrorCode::InvalidInput | ErrorCode::CapabilityDenied | ErrorCode::WaitLimit)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an attempt did not complete: FlowMonkey's `{code, message, details}` and a backtrace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JobError {
    /// One of [`ErrorCode`], or the handler's own.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// Whatever the handler added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<JsonText>,
    /// The guest's frames, innermost first; only where it was stopped inside its code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<String>,
}

impl JobError {
    /// An error the host reports.
    pub fn host(code: ErrorCode, message: impl Into<String>) -> Self {
        JobError::bounded(code.as_str().to_owned(), message.into(), None)
    }

    /// An error a guest reports. Whatever it holds becomes storable: too long a text is cut, NUL is
    /// replaced, and details that are too large or no JSON give way to a note.
    pub fn guest(code: String, message: String, details: Option<String>) -> Self {
        let details = details.map(|text| match JsonText::parse_limited(&text, DETAILS_BYTES_MAX) {
            Ok(json) => json,
            Err(error) => JsonText::from_string_value(&format!("details dropped: {error}")),
        });
        let code = if code.trim().is_empty() { "HANDLER_ERROR".to_owned() } else { code };
        JobError::bounded(code, message, details)
    }

    fn bounded(code: String, message: String, details: Option<JsonText>) -> Self {
        JobError {
            code: storable(code, CODE_BYTES_MAX),
            message: storable(message, MESSAGE_BYTES_MAX),
            details,
            backtrace: Vec::new(),
        }
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Cuts at a character border and replaces NUL, which Postgres cannot store.
pub(super) fn storable(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let mark = "…";
        let end = text.floor_char_boundary(bytes_max - mark.len());
        text.truncate(end);
        text.push_str(mark);
    }
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_reports_becomes_storable() {
        let long = JobError::guest("X".into(), "ü".repeat(MESSAGE_BYTES_MAX), None);
        assert!(long.message.len() <= MESSAGE_BYTES_MAX && long.message.ends_with("ü…"));
        assert_eq!(JobError::guest("A\0".into(), "b\0c".into(), None).code, "A\u{fffd}");
        assert_eq!(JobError::guest(" ".into(), String::new(), None).code, "HANDLER_ERROR");
        let odd = JobError::guest("X".into(), "m".into(), Some("{".into()));
        assert!(odd.details.unwrap().as_str().starts_with("\"details dropped"));
        let fine = JobError::guest("X".into(), "m".into(), Some("{\"a\": 1}".into()));
        assert_eq!(fine.details.unwrap().as_str(), "{\"a\": 1}");
    }
}
