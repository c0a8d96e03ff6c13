//! The process that compiles: confines itself before it reads a byte of the component.

use super::frame::{self, ARGUMENT, Kind, MESSAGE_BYTES_MAX};
use crate::sandbox::engine;
use crate::sandbox::trap::without_backtrace;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsString;
use std::io::{Read, Write};
use wasmtime::{Engine, OutOfMemory};

const STDOUT_GONE: i32 = 1;

/// What the parent says on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orders {
    pub(super) metered: bool,
    /// Address space, in bytes.
    pub(super) memory_bytes_max: u64,
    /// Of all processors together.
    pub(super) cpu_seconds_max: u64,
    pub(super) component_bytes: u64,
}

impl Orders {
    pub(super) fn arguments(&self) -> [String; 5] {
        let numbers = [self.memory_bytes_max, self.cpu_seconds_max, self.component_bytes];
        let [memory, cpu, component] = numbers.map(|number| number.to_string());
        [ARGUMENT.into(), self.metered.to_string(), memory, cpu, component]
    }

    fn parse(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut word = || words.next()?.into_string().ok();
        let orders = Orders {
            metered: word()?.parse().ok()?,
            memory_bytes_max: word()?.parse().ok()?,
            cpu_seconds_max: word()?.parse().ok()?,
            component_bytes: word()?.parse().ok()?,
        };
        word().is_none().then_some(orders)
    }
}

/// Whether this process was started to compile.
pub(super) fn is_asked() -> bool {
    std::env::args_os().nth(1).is_some_and(|word| word == ARGUMENT)
}

/// Whether a process with these arguments, each ended by a zero as in `/proc/self/cmdline`, was started to compile. For
/// those who must know before they can ask for memory.
pub fn is_compiler(command_line: &[u8]) -> bool {
    command_line.split(|byte| *byte == 0).nth(1) == Some(ARGUMENT.as_bytes())
}

/// Compiles one component and ends the process, if that is what the process was started for; else does
/// nothing. The `main` of a program that [`ChildCompiler`](super::ChildCompiler) names calls it before anything
/// else: what was opened or started earlier is within the compiler's reach.
pub fn compile_if_asked() {
    if is_asked() {
        std::process::exit(match answer() {
            Ok(()) => 0,
            // Nobody is left to tell.
            Err(_) => STDOUT_GONE,
        });
    }
}

fn answer() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let begun = begin();
    // The first thing the parent reads: by it, it knows its own program.
    let compatibility = begun.as_ref().map(|(engine, _)| frame::compatibility(engine));
    out.write_all(&frame::greeting(&compatibility.unwrap_or_default()))?;
    out.flush()?;
    let (kind, body) = begun.map_or_else(
        |why| (Kind::Unable, why.into_bytes()),
        |(engine, orders)| compile(&engine, &orders).unwrap_or_else(|(kind, why)| (kind, why.into_bytes())),
    );
    let bytes = if kind == Kind::Code { body.len() } else { body.len().min(MESSAGE_BYTES_MAX) };
    out.write_all(&frame::announce(kind, bytes))?;
    out.write_all(&body[..bytes])?;
    out.flush()
}

/// Reads what nobody untrusted wrote, and gives up everything that compiling does not need.
fn begin() -> Result<(Engine, Orders), String> {
    let orders =
        Orders::parse(std::env::args_os().skip(2)).ok_or("its arguments are not those of this version")?;
    let engine = engine::compiling(orders.metered).map_err(|error| without_backtrace(&error))?;
    confine(&orders).map_err(|error| format!("it cannot confine itself: {error}"))?;
    Ok((engine, orders))
}

fn compile(engine: &Engine, orders: &Orders) -> Result<(Kind, Vec<u8>), (Kind, String)> {
    let mut component = Vec::new();
    let read = std::io::stdin().lock().take(orders.component_bytes).read_to_end(&mut component);
    let unable = |why: String| (Kind::Unable, why);
    read.map_err(|error| unable(format!("the component cannot be read: {error}")))?;
    if component.len() as u64 != orders.component_bytes {
        return Err(unable("the component ends too early".into()));
    }
    match engine.precompile_component(&component) {
        Ok(code) => Ok((Kind::Code, code)),
        Err(error) if error.is::<OutOfMemory>() => Err((Kind::Memory, String::new())),
        Err(error) => Err((Kind::Invalid, without_backtrace(&error))),
    }
}

fn confine(orders: &Orders) -> rustix::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // No other process, and no other thread; means nothing to root.
        lower(Resource::Nproc, 0, 0)?;
    }
    lower(Resource::As, orders.memory_bytes_max, orders.memory_bytes_max)?;
    // A second for SIGXCPU to end it, by which the parent knows the reason.
    lower(Resource::Cpu, orders.cpu_seconds_max, orders.cpu_seconds_max.saturating_add(1))?;
    // No memory image on disk, no byte into any file, and nothing to be opened: no file, no socket.
    lower(Resource::Core, 0, 0)?;
    lower(Resource::Fsize, 0, 0)?;
    lower(Resource::Nofile, 0, 0)
}

/// Never raises what the parent's own parent had set.
fn lower(resource: Resource, current: u64, maximum: u64) -> rustix::io::Result<()> {
    let had = getrlimit(resource);
    let least = |wanted: u64, had: Option<u64>| Some(had.map_or(wanted, |had| had.min(wanted)));
    let maximum = least(maximum, had.maximum);
    setrlimit(resource, Rlimit { current: least(current, had.current).min(maximum), maximum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_arrive_as_they_were_given() {
        let orders =
            Orders { metered: true, memory_bytes_max: 1, cpu_seconds_max: 2, component_bytes: u64::MAX };
        let words = orders.arguments().map(OsString::from);
        assert_eq!(Orders::parse(words.clone().into_iter().skip(1)), Some(orders));
        assert_eq!(Orders::parse(words.clone().into_iter().skip(2)), None);
        assert_eq!(Orders::parse(words.into_iter().skip(1).chain(["more".into()])), None);
    }
}
