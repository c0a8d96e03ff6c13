use super::AttemptHost;
use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::log::{Host, Level};
use crate::sandbox::{ConfigValues, Limits};
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::Result;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What happened.
    Info,
    /// What is odd; stderr counts as this.
    Warn,
    /// What went wrong.
    Error,
}

impl LogLevel {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Trace => "trace",
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        }
    }
}

/// Where the lines of one attempt go, its own and those of stdout and stderr: to the host, without secrets,
/// as long as the limits last.
pub(in crate::sandbox) struct Lines {
    host: Arc<dyn AttemptHost>,
    config: Arc<ConfigValues>,
    left: Mutex<Left>,
    limits: Left,
}

/// What may still be written.
#[derive(Debug, Clone, Copy)]
struct Left {
    lines: usize,
    bytes: usize,
}

impl Lines {
    pub(in crate::sandbox) fn new(
        host: Arc<dyn AttemptHost>,
        config: Arc<ConfigValues>,
        limits: &Limits,
    ) -> Self {
        let limits = Left { lines: limits.log_lines_max, bytes: limits.log_bytes_max };
        Lines { host, config, left: Mutex::new(limits), limits }
    }

    pub(in crate::sandbox) fn are_spent(&self) -> bool {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.lines == 0 || left.bytes == 0
    }

    /// Passes a line on if it fits. The first that does not leaves a mark and spends the rest.
    pub(in crate::sandbox) fn write(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let field_bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        match self.take(message.len() + field_bytes + 1) {
            Taken::Nothing => {}
            Taken::Line => {
                let hidden = |text: &String| self.config.hide(text).into_owned();
                let fields: Vec<_> =
                    fields.iter().map(|(name, value)| (hidden(name), hidden(value))).collect();
                self.host.log(level, &self.config.hide(message), &fields);
            }
            Taken::Mark => {
                let Left { lines, bytes } = self.limits;
                let mark =
                    format!("log limit of {lines} lines or {bytes} bytes reached; the rest is dropped");
                self.host.log(LogLevel::Warn, &mark, &[]);
            }
        }
    }

    fn take(&self, bytes: usize) -> Taken {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.lines == 0 || left.bytes == 0 {
            return Taken::Nothing;
        }
        // The last of the bytes, and the last line, are for the mark.
        if left.bytes <= bytes || left.lines == 1 {
            *left = Left { lines: 0, bytes: 0 };
            return Taken::Mark;
        }
        *left = Left { lines: left.lines - 1, bytes: left.bytes - bytes };
        Taken::Line
    }
}

/// What a line becomes.
enum Taken {
    Line,
    Mark,
    Nothing,
}

impl Host for AttemptState {
    async fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> Result<()> {
        let level = match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        self.lines.write(level, &message, &fields);
        Ok(())
    }
}
