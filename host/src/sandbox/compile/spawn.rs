//! The parent's side: starts a child, hears its answer, and ends it.

use super::child::Orders;
use super::frame::{GREETING_BYTES, HEAD_BYTES, Kind};
use super::talk::{DYING_MAX, End, Talk};
use super::{Bounds, Key, MachineCode};
use crate::sandbox::LoadError;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Machine code has some ten times the bytes of its component; this much is a child that writes without end.
const CODE_BYTES_PER_BYTE_MAX: usize = 64;
const CODE_BYTES_BASE: usize = 16 << 20;
/// What is bounded is the time of the processors. A child may have to wait for them on a busy machine, and one that sleeps
/// must end too.
const WALL_TIMES_MAX: u32 = 4;
/// A longer time is as good as none, and can be added to any clock.
const TIME_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Compiles in a child of its own, which is gone when this returns.
pub(super) fn compile(
    program: &Path,
    key: &Key,
    bounds: Bounds,
    component: &[u8],
) -> Result<MachineCode, LoadError> {
    let time = bounds.time_max.min(TIME_MAX);
    let deadline = Instant::now() + time * WALL_TIMES_MAX;
    let orders = Orders {
        metered: key.metered,
        memory_bytes_max: bounds.memory_bytes_max as u64,
        cpu_seconds_max: time.as_secs() + u64::from(time.subsec_nanos() > 0),
        component_bytes: component.len() as u64,
    };
    let unusable = |why: String| LoadError::Compiler(format!("{}: {why}", program.display()));
    let code_bytes_max =
        component.len().saturating_mul(CODE_BYTES_PER_BYTE_MAX).saturating_add(CODE_BYTES_BASE);
    let mut talk = Talk::new(key.compatibility, code_bytes_max.min(bounds.memory_bytes_max));
    let mut running = Running::start(program, &orders).map_err(|error| unusable(error.to_string()))?;
    let end =
        talk.talk(&mut running.child, component, deadline).map_err(|error| unusable(error.to_string()))?;
    match end {
        End::Answer(Kind::Code) => {
            talk.arrived.drain(..HEAD_BYTES);
            Ok(MachineCode(Arc::new(talk.arrived)))
        }
        End::Answer(Kind::Invalid) => Err(LoadError::Compile(message(&talk))),
        End::Answer(Kind::Memory) => Err(LoadError::CompileMemory { max: bounds.memory_bytes_max }),
        End::Answer(Kind::Unable) => Err(unusable(message(&talk))),
        End::Deadline => Err(LoadError::CompileTime { max: bounds.time_max }),
        End::TooMuch => {
            let max = talk.code_bytes_max;
            Err(LoadError::Compile(format!("it comes to more than {max} bytes of machine code")))
        }
        End::Foreign => Err(unusable(format!("it does not answer as a compiler: {REMEDY}"))),
        End::OtherVersion => Err(unusable(
            "it is another version of this program; restart this one, or name the program that runs".into(),
        )),
        // Before the greeting it had read nothing of the component.
        End::Closed if talk.arrived.len() < GREETING_BYTES => {
            let end = running.status().map_or("it goes on".into(), |status| status.to_string());
            let why = format!("it closed its output before it answered as a compiler ({end}): {REMEDY}");
            Err(unusable(with_last_words(why, &talk.last_words())))
        }
        End::Closed => Err(death(running.status(), &talk.last_words(), bounds)),
    }
}

const REMEDY: &str = "its main must begin with flowmonkey_jobs::sandbox::compile_if_asked()";

/// A child, and whatever it may have started itself: killed and reaped when this is dropped.
struct Running {
    child: Child,
    reaped: bool,
}

impl Running {
    fn start(program: &Path, orders: &Orders) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command.args(orders.arguments()).env_clear().current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Running { child: command.spawn()?, reaped: false })
    }

    /// How it ended, if it does: it has closed all its lines.
    fn status(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + DYING_MAX;
        // Only looks: once it is reaped, its number is anybody's.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while let Ok(None) = waitid(WaitId::Pid(self.pid()?), look) {
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.end()
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Kills the whole group, also what a child left behind that has ended by itself.
    fn end(&mut self) -> Option<ExitStatus> {
        if let (false, Some(group)) = (self.reaped, self.pid()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        self.reaped = true;
        self.child.wait().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn message(talk: &Talk) -> String {
    String::from_utf8_lossy(&talk.arrived[HEAD_BYTES..]).into_owned()
}

/// Why a child died that had begun.
fn death(status: Option<ExitStatus>, last_words: &str, bounds: Bounds) -> LoadError {
    let signal = status.and_then(|status| status.signal()).and_then(Signal::from_named_raw);
    match (status, signal) {
        (_, Some(Signal::XCPU)) => LoadError::CompileTime { max: bounds.time_max },
        // How Rust ends a program whose allocation fails.
        (_, Some(Signal::ABORT)) if last_words.contains("memory allocation of ") => {
            LoadError::CompileMemory { max: bounds.memory_bytes_max }
        }
        (Some(status), _) => LoadError::CompilerDied(with_last_words(status.to_string(), last_words)),
        (None, _) => LoadError::CompilerDied("it closed its output and did not end".into()),
    }
}

fn with_last_words(why: String, last_words: &str) -> String {
    if last_words.is_empty() { why } else { format!("{why}; it wrote: {last_words}") }
}
