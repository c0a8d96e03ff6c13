//! Log lines, written by a thread of their own: whether somebody reads them, slowly, or has stopped to, jobs run.

use std::cell::Cell;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// So much may wait for who reads; lines that come then are dropped and counted. As much again may be half written.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// What is logged within this time of a line is written together, since each write wakes who reads.
const PAUSE: Duration = Duration::from_millis(10);
/// So long the end waits for who reads.
const END_WAIT: Duration = Duration::from_secs(1);
/// Buffers that grew over this are let go.
const KEPT_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// Whether this is the thread that writes: what it says itself is not dropped.
    static WRITES: Cell<bool> = const { Cell::new(false) };
}

/// Where lines wait. Each write is one line, and never waits for who reads.
#[derive(Default)]
pub(super) struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that nobody was told of.
    dropped: u64,
    phase: Phase,
}

#[derive(Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    Ending,
    Ended,
}

/// What waits is written when this is dropped, as far as somebody reads it within a second.
#[must_use]
pub(super) struct LinesEnd(Arc<Lines>);

impl Lines {
    /// Begins to write to there.
    pub(super) fn begin(to: impl Write + Send + 'static) -> std::io::Result<(Arc<Self>, LinesEnd)> {
        let lines = Arc::new(Lines::default());
        let written = lines.clone();
        thread::Builder::new().name("log".into()).spawn(move || {
            WRITES.set(true);
            written.write_repeatedly(to);
        })?;
        Ok((lines.clone(), LinesEnd(lines)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the end, and nothing waits any more.
    fn write_repeatedly(&self, mut to: impl Write) {
        let mut lines = Vec::new();
        let mut is_read = true;
        while self.take(&mut lines, is_read) {
            is_read = to.write_all(&lines).and_then(|()| to.flush()).is_ok();
            if !is_read {
                // Who read is gone, or a disk is full. Whoever reads again is told.
                self.state().dropped += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            }
            lines.clear();
            lines.shrink_to(KEPT_BYTES_MAX);
            thread::sleep(PAUSE);
        }
        self.state().phase = Phase::Ended;
        self.changed.notify_all();
    }

    /// Waits for lines and takes them all. If somebody reads them, a line about those that were dropped waits for the next
    /// time. False at the end.
    fn take(&self, lines: &mut Vec<u8>, is_read: bool) -> bool {
        let mut state = self.state();
        while state.waiting.is_empty() && (state.dropped == 0 || !is_read) && state.phase == Phase::Open {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.waiting, lines);
        let dropped = if is_read { std::mem::take(&mut state.dropped) } else { 0 };
        drop(state);
        if dropped > 0 {
            tracing::warn!(target: "flowmonkey::log", lines = dropped, "log lines were dropped: they are read too slowly");
        }
        dropped > 0 || !lines.is_empty()
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut state = self.state();
        if state.waiting.len() + line.len() > WAITING_BYTES_MAX && !WRITES.get() {
            state.dropped += 1;
            return Ok(line.len());
        }
        let is_first = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if is_first {
            self.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for LinesEnd {
    fn drop(&mut self) {
        self.0.state().phase = Phase::Ending;
        self.0.changed.notify_all();
        let is_open = |state: &mut State| state.phase != Phase::Ended;
        drop(self.0.changed.wait_timeout_while(self.0.state(), END_WAIT, is_open));
    }
}
