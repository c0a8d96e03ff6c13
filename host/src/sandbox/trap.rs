//! From wasmtime's errors to ours: by type and by what was measured, never by message text.

use super::attempt::AttemptState;
use super::engine::BACKTRACE_FRAMES_MAX;
use super::limits::Exceeded;
use crate::job::{ErrorCode, JobError, Outcome};
use std::collections::BTreeSet;
use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// A longer line of a backtrace is cut: names are the guest's own, and may have 100,000 bytes.
const FRAME_CHARS_MAX: usize = 200;

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its start functions may have run.
    Instantiate,
    /// `run` was called.
    Run,
}

pub(super) fn outcome(error: &Error, phase: Phase, state: &AttemptState) -> Outcome {
    // No place in the pool is our fault, not the guest's.
    if error.is::<PoolConcurrencyLimitError>() {
        return Outcome::Released;
    }
    let (code, message) = explain(error, phase, state);
    let mut job_error = JobError::host(code, message);
    job_error.backtrace = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
    if code.is_retryable() {
        Outcome::Retryable { error: job_error, after: None }
    } else {
        Outcome::Fatal(job_error)
    }
}

fn explain(error: &Error, phase: Phase, state: &AttemptState) -> (ErrorCode, String) {
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return (ErrorCode::MemoryLimit, format!("the handler asked for {exceeded}"));
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        let message = format!("the handler called exit({}) instead of returning", exit.0);
        return (ErrorCode::Trap, with_last_words(message, state));
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::OutOfFuel => {
                let fuel = state.limits.fuel_or_endless();
                (ErrorCode::OutOfFuel, format!("used up its {fuel} units of fuel"))
            }
            Trap::StackOverflow => (ErrorCode::StackOverflow, "calls were nested too deep".into()),
            Trap::MemoryOutOfBounds if is_recursion(error) => {
                let why = "calls were nested too deep for the stack that the handler has in its memory";
                (ErrorCode::StackOverflow, why.into())
            }
            other => (ErrorCode::Trap, with_last_words(other.to_string(), state)),
        };
    }
    let inside = error.downcast_ref::<WasmBacktrace>().is_some_and(|trace| !trace.frames().is_empty());
    match phase {
        Phase::Instantiate if !inside => (ErrorCode::HandlerLoadFailed, root(error)),
        // The guest returned, and its result could not be read: more than one call may copy, if its
        // memory can hold so much at all; else not what its type says.
        Phase::Run if !inside => {
            let large = state.limiter.memory_bytes() >= state.limits.hostcall_bytes_max as u64;
            let code = if large && !error.is::<std::str::Utf8Error>() {
                ErrorCode::OutputTooLarge
            } else {
                ErrorCode::InvalidOutput
            };
            (code, format!("the input cannot be handed over, or the result cannot be read: {}", root(error)))
        }
        _ => (ErrorCode::Trap, root(error)),
    }
}

/// Whether all the frames that are kept are of a few functions that call each other. Toolchains put large
/// values on a stack of their own in linear memory, which grows down towards address zero, and beyond.
fn is_recursion(error: &Error) -> bool {
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let functions: BTreeSet<u32> = frames.iter().map(wasmtime::FrameInfo::func_index).collect();
    frames.len() >= BACKTRACE_FRAMES_MAX && functions.len() <= BACKTRACE_FRAMES_MAX / 4
}

/// A panic's message says more than the trap it ends in; but what stderr holds may be from long before.
fn with_last_words(why: String, state: &AttemptState) -> String {
    match state.last_words() {
        Some(words) => format!("{words} ({why})"),
        None => why,
    }
}

fn root(error: &Error) -> String {
    error.root_cause().to_string()
}

/// An error's text for people; the chain, without wasmtime's notes on where it was created.
pub(super) fn without_backtrace(error: &Error) -> String {
    format!("{error:#}")
}

/// One line a frame, innermost first: the function's demangled name, and file and line where the
/// component has them. Without control characters, so that every store can hold it and no terminal obeys
/// it.
fn frames(trace: &WasmBacktrace) -> Vec<String> {
    let line = |frame: &wasmtime::FrameInfo| {
        let module = frame.module().name().unwrap_or("?");
        let function = frame.func_name().map_or_else(
            || format!("function {}", frame.func_index()),
            |name| format!("{:#}", rustc_demangle::demangle(name)),
        );
        let place = frame.symbols().iter().find_map(|symbol| {
            let file = symbol.file()?;
            Some(format!(" at {file}:{}", symbol.line().unwrap_or(0)))
        });
        let line = format!("{module}: {function}{}", place.unwrap_or_default());
        line.chars().filter(|c| !c.is_control()).take(FRAME_CHARS_MAX).collect()
    };
    trace.frames().iter().map(line).collect()
}
