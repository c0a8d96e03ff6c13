//! One conversation with a child that may answer, die, fall silent, or never stop.

use super::frame::{self, Kind, Read as Answer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use std::io::{ErrorKind, Read, Result, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

/// What is kept of what a child writes on standard error.
const LAST_WORDS_BYTES_MAX: usize = 1024;
/// A child that has closed its end of the line is about to die; it gets so long.
pub(super) const DYING_MAX: Duration = Duration::from_secs(2);
const CHUNK_BYTES: usize = 64 * 1024;

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Answer(Kind),
    /// The child closed the line before it had answered.
    Closed,
    Deadline,
    TooMuch,
    Foreign,
    OtherVersion,
}

/// What has been heard so far, within bounds.
pub(super) struct Talk {
    pub(super) compatibility: [u8; 32],
    pub(super) code_bytes_max: usize,
    /// The head and what it announces.
    pub(super) arrived: Vec<u8>,
    last_words: Vec<u8>,
}

struct Lines {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl Talk {
    pub(super) fn new(compatibility: [u8; 32], code_bytes_max: usize) -> Self {
        Talk { compatibility, code_bytes_max, arrived: Vec::new(), last_words: Vec::new() }
    }

    /// Until there is an answer, or there will be none. Reads and writes only what is ready, so that a child
    /// that does neither holds nobody up beyond the deadline.
    pub(super) fn talk(&mut self, child: &mut Child, mut rest: &[u8], deadline: Instant) -> Result<End> {
        let mut lines = Lines::of(child)?;
        let mut deadline = deadline;
        let mut chunk = vec![0; CHUNK_BYTES];
        while lines.stdout.is_some() || lines.stderr.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(if lines.stdout.is_some() { End::Deadline } else { End::Closed });
            }
            lines.wait(left)?;
            feed(&mut lines.stdin, &mut rest);
            if hear(&mut lines.stderr, &mut chunk, |part| self.note(part)) {
                lines.stderr = None;
            }
            if hear(&mut lines.stdout, &mut chunk, |part| self.arrived.extend_from_slice(part)) {
                lines.stdout = None;
                deadline = deadline.min(Instant::now() + DYING_MAX);
            }
            match frame::read(&self.arrived, &self.compatibility, self.code_bytes_max) {
                Answer::Partial => {}
                Answer::Whole(kind) => return Ok(End::Answer(kind)),
                Answer::TooMuch(_) => return Ok(End::TooMuch),
                Answer::Foreign => return Ok(End::Foreign),
                Answer::OtherVersion => return Ok(End::OtherVersion),
            }
        }
        Ok(End::Closed)
    }

    fn note(&mut self, part: &[u8]) {
        self.last_words.extend_from_slice(part);
        let excess = self.last_words.len().saturating_sub(LAST_WORDS_BYTES_MAX);
        self.last_words.drain(..excess);
    }

    /// The last that the child wrote on standard error; what it writes is not to be trusted.
    pub(super) fn last_words(&self) -> String {
        let words = String::from_utf8_lossy(&self.last_words);
        words.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

impl Lines {
    fn of(child: &mut Child) -> Result<Self> {
        let lines =
            Lines { stdin: child.stdin.take(), stdout: child.stdout.take(), stderr: child.stderr.take() };
        for line in lines.open() {
            ioctl_fionbio(line, true)?;
        }
        Ok(lines)
    }

    fn open(&self) -> impl Iterator<Item = std::os::fd::BorrowedFd<'_>> {
        let (stdin, stdout, stderr) = (&self.stdin, &self.stdout, &self.stderr);
        let stdin = stdin.iter().map(AsFd::as_fd);
        stdin.chain(stdout.iter().map(AsFd::as_fd)).chain(stderr.iter().map(AsFd::as_fd))
    }

    /// Until one of them is ready, or closed, or the time is over.
    fn wait(&self, left: Duration) -> Result<()> {
        // Nobody waits for the wrong thing: standard input can only be written, the others only read.
        let flags = PollFlags::IN | PollFlags::OUT;
        let mut lines: Vec<PollFd<'_>> =
            self.open().map(|line| PollFd::from_borrowed_fd(line, flags)).collect();
        let left = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
        match poll(&mut lines, Some(&left)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Writes what the pipe takes. All written is also closed: that is the end of the component. A child that
/// does not want it has its reasons, which are on the other lines.
fn feed(stdin: &mut Option<ChildStdin>, rest: &mut &[u8]) {
    let Some(line) = stdin else { return };
    match line.write(rest) {
        Ok(written) => *rest = &rest[written..],
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
        Err(_) => *rest = &[],
    }
    if rest.is_empty() {
        *stdin = None;
    }
}

/// Reads what is there; whether the line is at its end.
fn hear<R: Read>(line: &mut Option<R>, chunk: &mut [u8], mut sink: impl FnMut(&[u8])) -> bool {
    let Some(line) = line else { return false };
    match line.read(chunk) {
        Ok(0) => true,
        Ok(bytes) => {
            sink(&chunk[..bytes]);
            false
        }
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}
