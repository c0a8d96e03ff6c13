//! Which components may be run at all, and what to tell people about the others.

use super::{Limits, shape};
use wasmtime::component::Component;

const CONTRACT_VERSION: &str = "0.1.0";
/// A draft has to be met exactly.
const CONFIG_VERSION: &str = "0.2.0-rc.1";
const CONTRACT: &[&str] =
    &["types", "job", "control", "checkpoint", "context", "queue", "idempotency", "log"];
/// The packages of `wasi:cli` 0.2, which toolchains import unasked.
const WASI: &[&str] = &["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Why bytes are no handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not WebAssembly at all.
    #[error(
        "this is not a WebAssembly component: it does not begin with \\0asm. \
         Give the .wasm file that the handler's toolchain writes"
    )]
    NotWasm,
    /// WebAssembly's older, core format.
    #[error(
        "this is a core WebAssembly module, not a component. Build for a component target (Rust: \
         `--target wasm32-wasip2`), or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// Over the limit.
    #[error("the component has {bytes} bytes, over the limit of {max}")]
    TooLarge {
        /// The size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A component, but not one of ours.
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

/// Tells what bytes are from their first eight: magic, version, layer.
pub(super) fn check_bytes(bytes: &[u8], limits: &Limits) -> Result<(), LoadError> {
    let max = limits.component_bytes_max;
    if bytes.len() > max {
        return Err(LoadError::TooLarge { bytes: bytes.len(), max });
    }
    match (bytes.get(..4), bytes.get(4..8)) {
        (Some(b"\0asm"), Some([1, 0, 0, 0])) => Err(LoadError::CoreModule),
        (Some(b"\0asm"), Some([_, _, 1, 0])) => Ok(()),
        _ => Err(LoadError::NotWasm),
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

impl Surface {
    pub(super) fn of(component: &Component) -> Self {
        let (engine, kind) = (component.engine(), component.component_type());
        Surface {
            imports: kind.imports(engine).map(|(name, _)| name.to_owned()).collect(),
            exports: kind.exports(engine).map(|(name, _)| name.to_owned()).collect(),
        }
    }

    /// Names everything that is wrong, not just the first.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let imports = self.imports.iter().filter_map(|name| import_problem(name));
        let problems: Vec<String> = imports.chain(self.export_problem()).collect();
        if problems.is_empty() { Ok(()) } else { Err(LoadError::Surface(problems)) }
    }

    /// Whether `run` is what [`shape::RUN`] says. wasmtime itself would look only when an attempt begins.
    pub(super) fn check_types(&self, component: &Component) -> Result<(), LoadError> {
        let fits = |name: &&String| {
            let parts = Name::parse(name);
            parts.package == "flowmonkey:jobs" && parts.interface == "handler"
        };
        let found = self.exports.iter().find(fits).and_then(|name| shape::of_run(component, name));
        let found = found.unwrap_or_else(|| "no function `run`".into());
        if found == shape::RUN { Ok(()) } else { Err(LoadError::Type { found, wanted: shape::RUN }) }
    }

    fn export_problem(&self) -> Option<String> {
        let wanted = format!("flowmonkey:jobs/handler@{CONTRACT_VERSION}");
        let handlers: Vec<Name<'_>> = self.exports.iter().map(|name| Name::parse(name)).collect();
        let of_ours = |name: &&Name<'_>| name.package == "flowmonkey:jobs" && name.interface == "handler";
        match handlers.iter().find(of_ours) {
            Some(found) if found.fits(CONTRACT_VERSION) => None,
            Some(found) => Some(format!(
                "exports flowmonkey:jobs/handler@{}, but this host wants {CONTRACT_VERSION}; \
                 rebuild it against wit/ of this version",
                found.version
            )),
            None if self.exports.is_empty() => {
                Some(format!("exports nothing, but a handler exports {wanted}"))
            }
            None => Some(format!(
                "does not export {wanted}, which makes a component a handler; it exports {}",
                self.exports.join(", ")
            )),
        }
    }
}

/// `package:name/interface@version`, in parts.
struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    version: &'a str,
}

impl<'a> Name<'a> {
    fn parse(name: &'a str) -> Self {
        let (path, version) = name.split_once('@').unwrap_or((name, ""));
        let (package, interface) = path.split_once('/').unwrap_or((path, ""));
        Name { package, interface, version }
    }

    /// Below 1.0 a change of the second number breaks, as in semver and in wasmtime's linker.
    fn fits(&self, offered: &str) -> bool {
        let track = |version: &str| {
            let mut numbers = version.split('.').map(str::to_owned);
            (numbers.next(), numbers.next())
        };
        !self.version.contains('-') && track(self.version) == track(offered)
    }
}

/// What to tell about an import that the host cannot satisfy.
fn import_problem(import: &str) -> Option<String> {
    let name = Name::parse(import);
    let wasi = name.package.strip_prefix("wasi:");
    let version_problem = |offered: &str, remedy: &str| {
        (!name.fits(offered)).then(|| {
            let version = if name.version.is_empty() { "none" } else { name.version };
            format!("imports {import}: version {version} is wanted, {offered} is offered; {remedy}")
        })
    };
    match (name.package, wasi) {
        ("flowmonkey:jobs", _) if CONTRACT.contains(&name.interface) => {
            version_problem(CONTRACT_VERSION, "rebuild it against wit/ of this version")
        }
        ("flowmonkey:jobs", _) => {
            let offered = CONTRACT.join(", ");
            Some(format!("imports {import}: the contract has no such interface; it has {offered}"))
        }
        (_, Some(package)) if WASI.contains(&package) => {
            version_problem("0.2", "build it with a toolchain for WASI 0.2")
        }
        (_, Some("http")) => Some(format!(
            "imports {import}: needs the grant `http`, which this version of flowmonkey cannot give yet"
        )),
        (_, Some("config")) => (name.version != CONFIG_VERSION).then(|| {
            let wanted = name.version;
            format!("imports {import}: version {wanted} is wanted, {CONFIG_VERSION} is offered")
        }),
        _ => Some(format!(
            "imports {import}: the host has no such interface, and no grant supplies it; \
             remove its use, or link it into the component"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(imports: &[&str], exports: &[&str]) -> String {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let surface = Surface { imports: owned(imports), exports: owned(exports) };
        surface.check().err().map(|error| error.to_string()).unwrap_or_default()
    }

    const HANDLER: &str = "flowmonkey:jobs/handler@0.1.0";

    #[test]
    fn a_handler_with_any_subset_of_imports_passes() {
        assert_eq!(problems(&[], &[HANDLER]), "");
        let imports = [
            "flowmonkey:jobs/log@0.1.0",
            "flowmonkey:jobs/queue@0.1.7",
            "wasi:cli/stderr@0.2.3",
            "wasi:io/poll@0.2.0",
        ];
        assert_eq!(problems(&imports, &[HANDLER, "flowmonkey:jobs/metadata@0.1.0"]), "");
    }

    #[test]
    fn each_problem_is_named_with_its_remedy() {
        let table: &[(&[&str], &[&str], &[&str])] = &[
            (&[], &[], &["exports nothing", HANDLER]),
            (&[], &["wasi:cli/run@0.2.0"], &["does not export", "wasi:cli/run@0.2.0"]),
            (&[], &["flowmonkey:jobs/handler@0.2.0"], &["0.2.0", "wants 0.1.0", "rebuild"]),
            (&["flowmonkey:jobs/log@0.2.0"], &[HANDLER], &["0.2.0 is wanted", "0.1.0 is offered"]),
            (&["flowmonkey:jobs/mail@0.1.0"], &[HANDLER], &["no such interface", "checkpoint"]),
            (&["wasi:cli/stdout@0.3.0"], &[HANDLER], &["0.3.0 is wanted", "0.2 is offered"]),
            (&["wasi:http/outgoing-handler@0.2.0"], &[HANDLER], &["grant `http`"]),
            (&["wasi:config/store@0.2.0-draft"], &[HANDLER], &["0.2.0-draft is wanted", "0.2.0-rc.1"]),
            (&["acme:db/sql@1.0.0", "env"], &[HANDLER], &["acme:db/sql@1.0.0", "imports env"]),
        ];
        for (imports, exports, expected) in table {
            let message = problems(imports, exports);
            for part in *expected {
                assert!(message.contains(part), "{imports:?} {exports:?}: {part:?} is not in {message:?}");
            }
        }
    }

    #[test]
    fn bytes_are_told_apart_by_their_beginning() {
        let table: [(&[u8], Result<(), LoadError>); 5] = [
            (b"", Err(LoadError::NotWasm)),
            (b"(component)", Err(LoadError::NotWasm)),
            (b"\x7fELF\x02\x01\x01\0", Err(LoadError::NotWasm)),
            (b"\0asm\x01\0\0\0", Err(LoadError::CoreModule)),
            (b"\0asm\x0d\0\x01\0", Ok(())),
        ];
        for (bytes, expected) in table {
            assert_eq!(check_bytes(bytes, &Limits::default()), expected, "{bytes:?}");
        }
    }
}
