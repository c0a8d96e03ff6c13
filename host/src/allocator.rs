//! The program's memory. What one thread asks for, another often gives back: jobs are read, run and recorded on different
//! ones, which wait for each other in the system's allocator and not in mimalloc (PERFORMANCE.md has the numbers).

use flowmonkey_jobs::sandbox::is_compiler;
use mimalloc::MiMalloc;
use rustix::fs::{Mode, OFlags, open};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU8, Ordering};

const UNDECIDED: u8 = 0;
const OWN: u8 = 1;
const SYSTEM: u8 = 2;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator { which: AtomicU8::new(UNDECIDED) };

/// mimalloc, but the system's own in a process that compiles: the address space of that one is bounded, of which
/// mimalloc takes more than it needs, and it does not survive to be refused.
struct Allocator {
    which: AtomicU8,
}

impl Allocator {
    fn is_system(&self) -> bool {
        match self.which.load(Ordering::Relaxed) {
            UNDECIDED => self.decide(),
            which => which == SYSTEM,
        }
    }

    /// Before the first allocation, and so before there is a second thread.
    #[cold]
    fn decide(&self) -> bool {
        let is_system = is_compiling();
        self.which.store(if is_system { SYSTEM } else { OWN }, Ordering::Relaxed);
        is_system
    }
}

/// Asks the system for no memory. No where it cannot be told.
fn is_compiling() -> bool {
    // The word that says so is the second, and short; the first is a path.
    let mut command_line = [0; 4200];
    let read = open(c"/proc/self/cmdline", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| rustix::io::read(&file, &mut command_line));
    read.is_ok_and(|bytes| is_compiler(&command_line[..bytes]))
}

#[expect(unsafe_code, reason = "an allocator is; it hands on what it is asked, always to the same one")]
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.is_system() { unsafe { System.alloc(layout) } } else { unsafe { MiMalloc.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.is_system() {
            unsafe { System.alloc_zeroed(layout) }
        } else {
            unsafe { MiMalloc.alloc_zeroed(layout) }
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        if self.is_system() {
            unsafe { System.realloc(memory, layout, bytes) }
        } else {
            unsafe { MiMalloc.realloc(memory, layout, bytes) }
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if self.is_system() {
            unsafe { System.dealloc(memory, layout) }
        } else {
            unsafe { MiMalloc.dealloc(memory, layout) }
        }
    }
}
