//! Never ends and never calls the host. Shows that a runner interrupts such an attempt: it runs out
//! of fuel (`OUT_OF_FUEL`) or out of time (`TIMEOUT`), whichever is first, and no other job waits
//! for it. The backtrace of the failed attempt names `count_forever`.
//!
//! The input is ignored:
//!
//! ```json
//! {}
//! ```

use flowmonkey::{Context, Result};
use serde::de::IgnoredAny;
use std::hint::black_box;

flowmonkey::handler!(run);

fn run(_: &Context, _: IgnoredAny) -> Result<()> {
    count_forever()
}

/// Not inlined, so that the backtrace shows it.
#[inline(never)]
fn count_forever() -> ! {
    let mut turns: u64 = 0;
    loop {
        // The compiler may not guess what `black_box` does with the number, so it must count.
        turns = black_box(turns.wrapping_add(1));
    }
}
