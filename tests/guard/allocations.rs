//! How often an attempt asks for memory.

use flowmonkey_jobs::job::{JsonText, Outcome};
use flowmonkey_jobs::sandbox::{Compilation, Limits, Sandbox, SandboxConfig};
use flowmonkey_tests::alone::{Nowhere, attempt};
use flowmonkey_tests::guests;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

/// The most that an attempt of an empty handler may ask for.
const EACH_MAX: u64 = 80;
const ATTEMPTS: u64 = 200;

thread_local! {
    /// What this thread asked for.
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator is; it hands on what it is asked")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Gone while a thread ends.
        let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[tokio::test]
async fn an_attempt_asks_for_little_memory() {
    let sandbox = Sandbox::new(&SandboxConfig::new(Compilation::InProcess)).unwrap();
    let prepared = sandbox.prepare(&guests::example("empty"), &Limits::default()).unwrap();
    let (sandbox, prepared) = (Arc::new(sandbox), Arc::new(prepared));
    let counted = {
        let sandbox = sandbox.clone();
        async move {
            let seat = sandbox.seat().await.unwrap();
            let mut before = 0;
            for number in 0..2 * ATTEMPTS {
                if number == ATTEMPTS {
                    // The first fill what is filled once.
                    before = ASKED.get();
                }
                let input = JsonText::parse("{}").unwrap();
                let context = attempt(Nowhere::Prompt, input, Limits::default());
                let report = seat.run(&prepared, context).await;
                assert!(matches!(report.outcome, Outcome::Success(_)), "{:?}", report.outcome);
            }
            (ASKED.get() - before) / ATTEMPTS
        }
    };
    // An attempt that ends without giving way stays on its thread.
    let each = sandbox.spawn(counted).unwrap().await.unwrap();
    println!("{each} allocations an attempt");
    assert!((1..=EACH_MAX).contains(&each), "{each} allocations an attempt, more than {EACH_MAX}");
}
