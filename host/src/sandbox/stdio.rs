use super::capability::{AttemptHost, Budget, LogLevel};
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A line is handed on when it is complete or this long.
const LINE_BYTES_MAX: usize = 4096;
/// How much of the end is kept for the error of an attempt that trapped.
const TAIL_BYTES_MAX: usize = 2048;
/// What a guest may write in one call; it asks again for more.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Which of the guest's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// The guest's stdout or stderr: lines go to the job's log while the budget lasts, the end is kept.
/// Never closed and never full, so that a chatty guest goes on.
#[derive(Clone)]
pub(super) struct Capture(Arc<Inner>);

struct Inner {
    stream: Stream,
    host: Arc<dyn AttemptHost>,
    budget: Arc<Budget>,
    buffers: Mutex<Buffers>,
}

#[derive(Default)]
struct Buffers {
    line: Vec<u8>,
    tail: Vec<u8>,
}

impl Capture {
    pub(super) fn new(stream: Stream, host: Arc<dyn AttemptHost>, budget: Arc<Budget>) -> Self {
        Capture(Arc::new(Inner { stream, host, budget, buffers: Mutex::default() }))
    }

    /// The last of what was written, or nothing.
    pub(super) fn tail(&self) -> Option<String> {
        let buffers = self.0.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&buffers.tail);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Hands on a last line that has no end.
    pub(super) fn flush(&self) {
        let mut buffers = self.0.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.hand_on(&mut buffers.line);
    }
}

impl Inner {
    fn push(&self, bytes: &[u8]) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stream == Stream::Stderr {
            keep_tail(&mut buffers.tail, bytes);
        }
        if self.budget.is_spent() {
            return;
        }
        for &byte in bytes {
            if byte != b'\n' {
                buffers.line.push(byte);
            }
            if byte == b'\n' || buffers.line.len() >= LINE_BYTES_MAX {
                self.hand_on(&mut buffers.line);
            }
        }
    }

    fn hand_on(&self, line: &mut Vec<u8>) {
        if line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(line);
        let (level, stream) = match self.stream {
            Stream::Stdout => (LogLevel::Info, "stdout"),
            Stream::Stderr => (LogLevel::Warn, "stderr"),
        };
        self.budget.log(&*self.host, level, text.trim_end(), &[("stream".into(), stream.into())]);
        line.clear();
    }
}

fn keep_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES_MAX)..]);
    let excess = tail.len().saturating_sub(TAIL_BYTES_MAX);
    tail.drain(..excess);
}

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 takes this path, and that is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}
