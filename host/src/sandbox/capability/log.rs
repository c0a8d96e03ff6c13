use super::AttemptHost;
use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::log::{Host, Level};
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// The bytes an attempt may still log.
#[derive(Debug)]
pub(in crate::sandbox) struct Budget {
    bytes_left: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    pub(in crate::sandbox) fn new(bytes_max: usize) -> Self {
        Budget { bytes_left: AtomicUsize::new(bytes_max), bytes_max }
    }

    pub(in crate::sandbox) fn is_spent(&self) -> bool {
        self.bytes_left.load(Ordering::Relaxed) == 0
    }

    /// Passes a line on if it fits. The first that does not leaves a mark and spends the rest.
    pub(in crate::sandbox) fn log(
        &self,
        host: &dyn AttemptHost,
        level: LogLevel,
        message: &str,
        fields: &[(String, String)],
    ) {
        let field_bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let bytes = message.len() + field_bytes + 1;
        let take = |left: usize| Some(left.saturating_sub(bytes));
        match self.bytes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(0) => {}
            Ok(left) if left > bytes => host.log(level, message, fields),
            _ => {
                let mark = format!("log limit of {} bytes reached; the rest is dropped", self.bytes_max);
                host.log(LogLevel::Warn, &mark, &[]);
            }
        }
    }
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
        self.log.log(&*self.host, level, &message, &fields);
        Ok(())
    }
}
