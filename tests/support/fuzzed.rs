//! What is done with bytes that anybody may have made: here by a fuzzer (`tests/fuzz`), and by the suites with
//! its seeds and whatever once went wrong. Each function panics where an invariant does not hold.

use crate::alone::{Nowhere, attempt};
use flowmonkey_jobs::catalog::{Policy, above_ceiling};
use flowmonkey_jobs::job::JsonText;
use flowmonkey_jobs::sandbox::{Compilation, Limits, OriginPattern, Sandbox, SandboxConfig, inspect};
use flowmonkey_jobs::scheduler::cron::{Cron, parse_zone};
use flowmonkey_jobs::units::{Fuel, Size, Span};
use std::sync::LazyLock;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Small, so that a fuzzer gets through many.
fn limits() -> Limits {
    Limits {
        fuel: Some(1_000_000),
        wall_max: Duration::from_secs(5),
        memory_bytes_max: 4 << 20,
        component_bytes_max: 1 << 20,
        ..Limits::default()
    }
}

/// Compiling, linking and one run of a component: refused with a reason, or run to an end.
pub fn component(bytes: &[u8]) {
    static RUNNER: LazyLock<(Sandbox, Runtime)> = LazyLock::new(|| {
        (Sandbox::new(&SandboxConfig::new(Compilation::InProcess)).unwrap(), Runtime::new().unwrap())
    });
    let (sandbox, runtime) = &*RUNNER;
    match sandbox.prepare(bytes, &limits()) {
        Err(refused) => assert!(!refused.to_string().is_empty()),
        Ok(prepared) => {
            let context = attempt(Nowhere::Prompt, JsonText::parse("{}").unwrap(), limits());
            let report = runtime.block_on(sandbox.run(&prepared, context));
            assert!(report.usage.memory_bytes <= 4 << 20);
        }
    }
}

/// What is said of a file without compiling it. Bytes that are no component are taken for the body of one.
pub fn inspection(bytes: &[u8]) {
    let whole = [b"\0asm\x0d\0\x01\0", bytes].concat();
    for bytes in [bytes, &whole] {
        let found = inspect(bytes);
        let text = format!("{found:?}{:?}", found.verdict(bytes, &limits()));
        assert!(text.len() < 4 << 20, "{} bytes about {} bytes", text.len(), bytes.len());
    }
}

/// Text at the WIT border: what is accepted is JSON that every store can hold, and the text itself.
pub fn json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match JsonText::parse_limited(text, 4096) {
        Err(refused) => assert!(!refused.to_string().is_empty()),
        Ok(json) => {
            let around = [' ', '\t', '\r', '\n'];
            assert!(json.as_str().len() <= 4096 && json.as_str() == text.trim_matches(around), "{text:?}");
            assert!(json.depth() <= 128, "{} levels", json.depth());
            let _: serde::de::IgnoredAny = serde_json::from_str(text).unwrap();
            // A number may be beyond what an f64 holds; the databases hold it all the same.
            let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return };
            assert!(!holds_nul(&value), "{text:?}");
            // What is stored is read again.
            assert!(JsonText::parse(&value.to_string()).is_ok(), "{text:?}");
        }
    }
}

fn holds_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(items) => items.iter().any(holds_nul),
        serde_json::Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value))
        }
        _ => false,
    }
}

/// `handler.toml`: refused with a reason, or under the ceiling and without a grant that nobody allowed.
pub fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let policy = Policy::default();
    match policy.read_manifest("handler", text) {
        Err(refused) => assert!(!refused.is_empty()),
        Ok((settings, _)) => {
            assert!(above_ceiling(&settings.limits, &policy.ceiling).is_empty());
            assert_eq!(settings.grants, Default::default());
            assert!(!settings.limits.wall_max.is_zero());
        }
    }
}

/// Cron expressions, time zones, durations, sizes, fuel and hosts, one a line.
pub fn times(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for line in text.lines() {
        let _ = (line.parse::<Span>(), line.parse::<Size>(), line.parse::<Fuel>());
        if let Ok(zone) = parse_zone(line) {
            assert!(!zone.name().is_empty());
        }
        if let Ok(pattern) = line.parse::<OriginPattern>() {
            let again: OriginPattern = pattern.to_string().parse().unwrap();
            assert_eq!((&again, again.meet(&pattern)), (&pattern, Some(pattern.clone())), "{line:?}");
        }
        let Ok(cron) = Cron::parse(line) else { continue };
        let (zone, mut at) = (parse_zone("Europe/Berlin").unwrap(), 1_700_000_000_000);
        for _ in 0..3 {
            let Some(next) = cron.after(at, zone) else { break };
            assert!(next > at, "{line:?}: {next} is not after {at}");
            at = next;
        }
    }
}
