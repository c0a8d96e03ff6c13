use crate::job::{ErrorCode, JobError, JsonText};
use jsonschema::ValidationError;
use serde_json::Value;
use std::fmt;

/// So many are told.
pub(super) const VIOLATIONS_MAX: usize = 20;
/// So many are named in an error's message; the details have all.
const NAMED_MAX: usize = 3;
const MESSAGE_BYTES_MAX: usize = 200;
const POINTER_BYTES_MAX: usize = 200;
/// A longer value is not shown: it would crowd out what is wrong with it.
const VALUE_BYTES_MAX: usize = 60;
/// As much as an error's details may have.
const DETAILS_BYTES_MAX: usize = 16 * 1024;

/// What does not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// Where, as a JSON Pointer (RFC 6901); empty for the whole. Cut at 200 bytes.
    pub pointer: String,
    /// What is wrong there, for people. Cut at 200 bytes.
    pub message: String,
}

/// Whether a violation may show the value that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Short ones.
    Values,
    /// None: any may be a secret.
    Nothing,
}

impl Violation {
    /// Of the whole.
    pub(super) fn of_all(message: impl Into<String>) -> Self {
        Violation { pointer: String::new(), message: cut(message.into(), MESSAGE_BYTES_MAX) }
    }

    pub(super) fn of(error: &ValidationError<'_>, shown: Shown) -> Self {
        let is_short = match error.instance().as_ref() {
            Value::String(text) => text.len() <= VALUE_BYTES_MAX,
            Value::Array(_) | Value::Object(_) => false,
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        };
        let message =
            if is_short && shown == Shown::Values { error.to_string() } else { error.masked().to_string() };
        let pointer = cut(error.instance_path().as_str().to_owned(), POINTER_BYTES_MAX);
        Violation { pointer, message: cut(message, MESSAGE_BYTES_MAX) }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.message),
            pointer => write!(f, "{pointer}: {}", self.message),
        }
    }
}

/// At a border of characters, and without control characters, which a terminal would obey.
fn cut(text: String, bytes_max: usize) -> String {
    let mut text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max - "…".len()));
        text.push('…');
    }
    text
}

/// An attempt's error about these: the first in its message, all that fit in its details.
pub(super) fn error(code: ErrorCode, what: &str, violations: &[Violation]) -> JobError {
    let named = violations.iter().take(NAMED_MAX).map(ToString::to_string);
    let more = violations.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let message = format!("{what}: {}{more}", named.collect::<Vec<_>>().join("; "));
    JobError { details: details(violations), ..JobError::host(code, message) }
}

fn details(violations: &[Violation]) -> Option<JsonText> {
    let all = (1..=violations.len()).rev().filter_map(|count| {
        let text = serde_json::to_string(violations.get(..count)?).ok()?;
        JsonText::parse_limited(&text, DETAILS_BYTES_MAX).ok()
    });
    all.take(1).next()
}
