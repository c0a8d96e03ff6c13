//! From an idea to a component: writes the folder of a new handler, and calls the tools that its language
//! has anyway. Nothing is installed here; what is missing is named with the command that installs it.

mod component;
mod folder;
mod language;
mod template;
mod tool;
mod toolchain;
mod watch;
mod world;

pub(crate) use folder::{Workplace, handler_folders};
pub(crate) use language::Language;
pub(crate) use template::create;
pub(crate) use toolchain::{Profile, build};
pub(crate) use watch::Sources;

/// Why there is no folder or no component.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// What was asked for makes no sense.
    #[error("{0}")]
    BadFolder(String),
    /// A tool is not here.
    #[error("{0}")]
    Missing(tool::Missing),
    /// A tool said no; what it says is on the screen already.
    #[error("{0}")]
    Failed(String),
    /// The machine said no.
    #[error("{what}: {why}")]
    Io {
        /// The file or the program.
        what: String,
        /// What is wrong with it.
        why: std::io::Error,
    },
}

impl Fault {
    fn io(what: impl std::fmt::Display, why: std::io::Error) -> Self {
        Fault::Io { what: what.to_string(), why }
    }
}
