use crate::wit::imports::flowmonkey::jobs::log::log;
use std::fmt::Display;

pub use crate::wit::imports::flowmonkey::jobs::log::Level;

/// Lines for the people who run the handler. Never put secrets here.
///
/// ```no_run
/// # fn example(ctx: &flowmonkey::Context) {
/// ctx.log().info("mail rendered", &[("to", &"ada@example.com"), ("bytes", &512)]);
/// # }
/// ```
///
/// Lines and bytes of an attempt are limited (`log-lines`, 5,000; `log-bytes`, 256 KiB); what is over the
/// limit is dropped and counted.
#[derive(Debug)]
pub struct Log(pub(crate) ());

/// Names and values.
type Fields<'a> = &'a [(&'a str, &'a dyn Display)];

impl Log {
    /// Writes one line of a level.
    pub fn at(&self, level: Level, message: &str, fields: Fields<'_>) {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        log(level, message, &fields);
    }

    /// What only a search for a fault needs, in every turn.
    pub fn trace(&self, message: &str, fields: Fields<'_>) {
        self.at(Level::Trace, message, fields);
    }

    /// What a search for a fault needs.
    pub fn debug(&self, message: &str, fields: Fields<'_>) {
        self.at(Level::Debug, message, fields);
    }

    /// What happened.
    pub fn info(&self, message: &str, fields: Fields<'_>) {
        self.at(Level::Info, message, fields);
    }

    /// What somebody should look at some time.
    pub fn warn(&self, message: &str, fields: Fields<'_>) {
        self.at(Level::Warn, message, fields);
    }

    /// What somebody should look at now.
    pub fn error(&self, message: &str, fields: Fields<'_>) {
        self.at(Level::Error, message, fields);
    }
}
