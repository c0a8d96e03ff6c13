use super::lines::{Lines, LinesEnd};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

const VARIABLE: &str = "FLOWMONKEY_LOG";
const FILTER_DEFAULT: &str = "warn,flowmonkey=info";

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Log lines go to stderr, so that stdout stays for results, until what this returns is dropped. A process that is killed
/// loses those that wait: of the last ten milliseconds, or more if they are read too slowly.
pub(super) fn start(format: LogFormat) -> std::io::Result<LinesEnd> {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(FILTER_DEFAULT));
    let (lines, end) = Lines::begin(std::io::stderr())?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.compact().init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(end)
}
