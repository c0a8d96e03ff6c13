//! Which components may be run at all, and what to tell people about the others.

mod interface;
mod problem;

pub use interface::{Grant, Supply};

use super::engine;
use super::inspection::{Format, Inspection, Names, cut, inspect, validity};
use super::{Limits, shape};
use interface::Name;
use std::collections::BTreeSet;
use wasmtime::component::Component;

const CONTRACT_VERSION: &str = "0.1.0";
/// What may be copied, times how often, in bytes. A component of 240 KB can be made so that checking its types
/// takes half a minute and gigabytes; below this bound it takes a second or two.
const WIRING_CHECKED_MAX: u64 = 16 * 1024 * 1024;

/// Why bytes are no handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Something else, from its first bytes.
    #[error("{}", not_a_component(.found, *.preview1))]
    NotComponent {
        /// What it is.
        found: Format,
        /// Whether it was built for WASI before 0.2.
        preview1: bool,
    },
    /// Over the limit.
    #[error("the component has {bytes} bytes, over the limit of {max}")]
    TooLarge {
        /// The size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It cannot be read to its end.
    #[error("the component cannot be read: {0}. Build it again, or fetch it again")]
    Damaged(String),
    /// A component, but not one of ours. A line for each problem.
    #[error("{}", .0.join("\n"))]
    Surface(Vec<String>),
    /// Not valid, or beyond what the compiler takes.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
    /// The compiler took longer than it may.
    #[error(
        "compiling the component takes longer than {}: it may be made to; if you trust it, raise the limit",
        humantime::format_duration(*max)
    )]
    CompileTime {
        /// `Limits::compile_time_max`.
        max: std::time::Duration,
    },
    /// The compiler asked for more memory than it may.
    #[error(
        "compiling the component takes more than {} of memory: it may be made to; if you trust it, raise \
         the limit",
        bytesize::ByteSize(*max as u64).display().iec()
    )]
    CompileMemory {
        /// `Limits::compile_memory_bytes_max`, in bytes of address space.
        max: usize,
    },
    /// The compiler's process died of the component.
    #[error("the compiler died while it had the component: {0}")]
    CompilerDied(String),
    /// Not the component's fault: the program that compiles cannot be used.
    #[error("the compiler cannot be used: {0}")]
    Compiler(String),
    /// A `run` of another type than the contract's.
    #[error(
        "flowmonkey:jobs/handler has {found}, but the contract wants {wanted}; rebuild it against wit/ of \
         this version"
    )]
    Type {
        /// What the component has.
        found: String,
        /// What it must have.
        wanted: &'static str,
    },
    /// Not the component's fault: this machine cannot make room for it.
    #[error("this host cannot prepare a component now: {0}")]
    Host(String),
    /// A type that differs from the contract's.
    #[error("the component does not fit the contract flowmonkey:jobs@{CONTRACT_VERSION}: {0}")]
    Link(String),
}

fn not_a_component(found: &Format, preview1: bool) -> String {
    let (built, remedy) = (if preview1 { ", built for WASI before 0.2" } else { "" }, found.remedy());
    match found {
        Format::WasmVersion { .. } => format!("this is {found}. {remedy}"),
        _ => format!("this is {found}{built}, not a WebAssembly component. {remedy}"),
    }
}

/// What a component exports and asks for, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surface {
    /// Its imports, such as `flowmonkey:jobs/log@0.1.0`.
    pub imports: Vec<String>,
    /// Its exports.
    pub exports: Vec<String>,
}

/// Refuses, at the price of reading it once, whatever compiling could not make a handler.
pub(super) fn admit(bytes: &[u8], limits: &Limits) -> Result<Surface, LoadError> {
    let inspection = check_size(bytes, limits).map(|()| inspect(bytes))?;
    inspection.admissible()?;
    Ok(Surface { imports: inspection.imports.kept, exports: inspection.exports.kept })
}

fn check_size(bytes: &[u8], limits: &Limits) -> Result<(), LoadError> {
    let max = limits.component_bytes_max;
    if bytes.len() > max { Err(LoadError::TooLarge { bytes: bytes.len(), max }) } else { Ok(()) }
}

impl Inspection {
    /// Whether the host can run it, as far as names tell. Types are compared once it is compiled.
    ///
    /// # Errors
    /// What loading it would say: all problems, not just the first.
    pub fn admissible(&self) -> Result<(), LoadError> {
        if self.format != Format::Component {
            return Err(LoadError::NotComponent { found: self.format, preview1: self.is_preview1() });
        }
        if let Some(damage) = &self.damage {
            return Err(LoadError::Damaged(damage.clone()));
        }
        let problems = problem::of(&self.imports, &self.exports);
        if problems.is_empty() { Ok(()) } else { Err(LoadError::Surface(problems)) }
    }

    /// Whether the host can run what was inspected, as far as can be told without compiling it: the file
    /// is valid, and `run` has the contract's type. The types of imports are compared when it is loaded.
    ///
    /// # Errors
    /// What loading it would say; and where there are more types than a glance can take, that.
    pub fn verdict(&self, bytes: &[u8], limits: &Limits) -> Result<(), LoadError> {
        check_size(bytes, limits)?;
        self.admissible()?;
        if self.wiring_bytes.saturating_mul(self.wiring_copies) > WIRING_CHECKED_MAX {
            return Err(LoadError::Surface(vec![format!(
                "has {} bytes of types and wiring and {} instances, imports and exports, more than can be \
                 checked without compiling; only loading it can tell whether it is a handler",
                self.wiring_bytes, self.wiring_copies
            )]));
        }
        let features = engine::features().map_err(|error| LoadError::Host(format!("{error:#}")))?;
        let types = validity::types(bytes, features);
        let types = types.map_err(|error| LoadError::Compile(cut(&error.to_string())))?;
        check_run(&self.exports.kept, |export| shape::parsed::of_run(types.as_ref()?, export))
    }

    /// Each import that was kept, and where it comes from.
    pub fn supplies(&self) -> impl Iterator<Item = (&str, Supply)> {
        self.imports.kept.iter().map(|import| (import.as_str(), interface::supply(import)))
    }

    /// Whether it can describe itself: it exports `metadata` in the contract's version.
    pub fn describes_itself(&self) -> bool {
        metadata(&self.exports.kept).is_some()
    }

    /// WASI's first two versions are imported by core modules, from modules of these names.
    fn is_preview1(&self) -> bool {
        let names: &Names = &self.imports;
        names.kept.iter().any(|name| matches!(name.as_str(), "wasi_snapshot_preview1" | "wasi_unstable"))
    }
}

impl Surface {
    /// The export by which the component describes itself, if it does.
    pub(super) fn metadata(&self) -> Option<&str> {
        metadata(&self.exports)
    }

    /// The grants without which some of its imports would only ever answer that they are denied.
    pub fn grants(&self) -> BTreeSet<Grant> {
        let supplies = self.imports.iter().map(|import| interface::supply(import));
        supplies
            .filter_map(|supply| if let Supply::Granted(grant) = supply { Some(grant) } else { None })
            .collect()
    }

    /// Whether `run` is what [`shape::RUN`] says. wasmtime itself would look only when an attempt begins.
    pub(super) fn check_types(&self, component: &Component) -> Result<(), LoadError> {
        check_run(&self.exports, |export| shape::of_run(component, export))
    }
}

/// The export that is `metadata` in the contract's version.
fn metadata(exports: &[String]) -> Option<&str> {
    let ours = |name: Name<'_>| name.is("flowmonkey:jobs", "metadata") && name.fits(CONTRACT_VERSION);
    exports.iter().map(String::as_str).find(|name| ours(Name::parse(name)))
}

fn check_run(exports: &[String], run: impl FnOnce(&str) -> Option<String>) -> Result<(), LoadError> {
    let handler = exports.iter().find(|name| Name::parse(name).is("flowmonkey:jobs", "handler"));
    let found = handler.and_then(|name| run(name)).unwrap_or_else(|| "no function `run`".into());
    if found == shape::RUN { Ok(()) } else { Err(LoadError::Type { found, wanted: shape::RUN }) }
}
