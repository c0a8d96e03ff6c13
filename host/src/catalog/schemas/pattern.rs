use regex_syntax::hir::{Class, Hir, HirKind};

/// The longest pattern, in bytes. Reading one can take the square of this.
const BYTES_MAX: usize = 1000;
/// The largest compiled pattern, in bytes.
pub(super) const COMPILED_BYTES_MAX: usize = 256 * 1024;
/// What the engine may remember of a pattern while it is used, in bytes.
pub(super) const CACHE_BYTES_MAX: usize = 256 * 1024;

/// What a pattern may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PatternCost {
    /// Places in it where a match may be at the same time: so much a byte of text, at worst.
    pub(super) places: u64,
    /// How large it is to compile, in places and ranges of characters.
    pub(super) size: u64,
}

/// Looks at a pattern as the linear-time engine will see it.
pub(super) fn cost(pattern: &str) -> Result<PatternCost, String> {
    let shown: String = pattern.chars().filter(|c| !c.is_control()).take(100).collect();
    if pattern.len() > BYTES_MAX {
        return Err(format!(
            "the pattern \"{shown}…\" has {} bytes, over the limit of {BYTES_MAX}",
            pattern.len()
        ));
    }
    let unsupported = || {
        format!(
            "the pattern \"{shown}\" is none, or has parts that cannot be matched in linear time, such as (?=…) or \\1"
        )
    };
    let pattern = jsonschema_regex::to_rust_regex(pattern).map_err(|()| unsupported())?;
    let hir = regex_syntax::parse(&pattern).map_err(|_| unsupported())?;
    Ok(of(&hir))
}

fn of(hir: &Hir) -> PatternCost {
    let all = |parts: &[Hir]| parts.iter().map(of).fold(PatternCost { places: 1, size: 1 }, add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => PatternCost { places: 1, size: 1 },
        HirKind::Literal(literal) => {
            let bytes = literal.0.len() as u64;
            PatternCost { places: bytes, size: bytes }
        }
        HirKind::Class(Class::Bytes(class)) => PatternCost { places: 1, size: class.ranges().len() as u64 },
        // A character may have up to four bytes.
        HirKind::Class(Class::Unicode(class)) => {
            let bytes = if class.is_ascii() { 1 } else { 4 };
            PatternCost { places: bytes, size: bytes * class.ranges().len() as u64 }
        }
        HirKind::Repetition(repetition) => {
            let times = u64::from(repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1));
            let once = of(&repetition.sub);
            PatternCost { places: once.places.saturating_mul(times), size: once.size.saturating_mul(times) }
        }
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => all(parts),
    }
}

fn add(one: PatternCost, other: PatternCost) -> PatternCost {
    PatternCost { places: one.places.saturating_add(other.places), size: one.size.saturating_add(other.size) }
}
