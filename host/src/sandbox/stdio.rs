use super::capability::{Lines, LogLevel};
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

/// The guest's stdout or stderr: lines go to the job's log while the limits last, the end is kept. Cut with a
/// mark, never closed and never full, so that a chatty guest goes on.
#[derive(Clone)]
pub(super) struct Capture(Arc<Inner>);

struct Inner {
    stream: Stream,
    lines: Arc<Lines>,
    bytes_max: usize,
    buffers: Mutex<Buffers>,
}

#[derive(Default)]
struct Buffers {
    /// How much came so far.
    bytes: usize,
    line: Vec<u8>,
    tail: Vec<u8>,
}

impl Capture {
    /// Of so many bytes at most.
    pub(super) fn new(stream: Stream, bytes_max: usize, lines: Arc<Lines>) -> Self {
        Capture(Arc::new(Inner { stream, lines, bytes_max, buffers: Mutex::default() }))
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
        let left = self.bytes_max - buffers.bytes;
        if left == 0 || self.lines.are_spent() {
            return;
        }
        buffers.bytes += bytes.len().min(left);
        for &byte in &bytes[..bytes.len().min(left)] {
            if byte != b'\n' {
                buffers.line.push(byte);
            }
            if byte == b'\n' || buffers.line.len() >= LINE_BYTES_MAX {
                self.hand_on(&mut buffers.line);
            }
        }
        if bytes.len() > left {
            self.hand_on(&mut buffers.line);
            let mark = format!("limit of {} bytes reached; the rest is dropped", self.bytes_max);
            self.write(LogLevel::Warn, &mark);
        }
    }

    fn hand_on(&self, line: &mut Vec<u8>) {
        if line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(line);
        let level = match self.stream {
            Stream::Stdout => LogLevel::Info,
            Stream::Stderr => LogLevel::Warn,
        };
        self.write(level, text.trim_end());
        line.clear();
    }

    fn write(&self, level: LogLevel, text: &str) {
        let stream = match self.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        self.lines.write(level, text, &[("stream".into(), stream.into())]);
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
