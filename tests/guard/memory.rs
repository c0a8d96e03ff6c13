//! What an attempt used is given back when it ends, though the system gets it in batches.

use flowmonkey_jobs::job::{JsonText, Outcome};
use flowmonkey_jobs::sandbox::{Compilation, Limits, Sandbox, SandboxConfig};
use flowmonkey_tests::alone::{Nowhere, attempt};
use flowmonkey_tests::guests;
use flowmonkey_tests::program::status_kib;

const MIB: u64 = 1024 * 1024;
const PAGES: u64 = 1600;
const PAGE: u64 = 64 * 1024;
/// Of what was used, and of all that the other tests hold meanwhile.
const KEPT_MAX: u64 = 48 * MIB;

#[tokio::test]
async fn what_an_attempt_used_goes_back_when_it_ends() {
    let sandbox = Sandbox::new(&SandboxConfig::new(Compilation::InProcess)).unwrap();
    let bytes = PAGES * PAGE;
    let greedy = guests::handler(&format!(
        "(func (export \"run\") (param i32 i32) (result i32)
            (drop (memory.grow (i32.const {PAGES})))
            (memory.fill (i32.const {PAGE}) (i32.const 7) (i32.const {bytes}))
            (i32.const 1024))"
    ));
    let greedy = sandbox.prepare(&greedy, &Limits::default()).unwrap();
    let before = status_kib("VmRSS");
    for _ in 0..3 {
        let context = attempt(Nowhere::Prompt, JsonText::parse("{}").unwrap(), Limits::default());
        let report = sandbox.run(&greedy, context).await;
        assert!(matches!(report.outcome, Outcome::Success(_)), "{:?}", report.outcome);
        assert!(report.usage.memory_bytes > bytes);
        let kept = 1024 * status_kib("VmRSS").saturating_sub(before);
        assert!(kept < KEPT_MAX, "{} MiB are still there of {} MiB", kept / MIB, bytes / MIB);
    }
}
