//! What a compiling child is told and what it answers.
//!
//! Told: its arguments are [`ARGUMENT`], whether fuel is counted, and its bounds; its standard input is the
//! component. Answered on standard output: the greeting, a [`Kind`], the length of what follows, and that.

use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use wasmtime::Engine;

/// The first argument of a process that shall compile. Not for people.
pub(super) const ARGUMENT: &str = "__flowmonkey-compile";
const MAGIC: &[u8; 16] = b"flowmonkey-code\x01";
pub(super) const GREETING_BYTES: usize = MAGIC.len() + 32;
pub(super) const HEAD_BYTES: usize = GREETING_BYTES + 1 + 8;
/// A longer message is cut.
pub(super) const MESSAGE_BYTES_MAX: usize = 1024;

/// What an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Machine code.
    Code = 0,
    /// The compiler's reason why the component is not valid.
    Invalid = 1,
    /// Nothing: the compiler ran out of memory, and noticed.
    Memory = 2,
    /// Why the child could not even begin.
    Unable = 3,
}

/// What all that has arrived comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// More must come.
    Partial,
    /// The head, and all that it announces.
    Whole(Kind),
    /// It announces so many bytes, which is too much.
    TooMuch(u64),
    /// Another program wrote it.
    Foreign,
    /// Another version of this program wrote it, or one with other settings.
    OtherVersion,
}

/// The engine's version and settings as they show in machine code, in 32 bytes.
pub(super) fn compatibility(engine: &Engine) -> [u8; 32] {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

pub(super) fn greeting(compatibility: &[u8; 32]) -> Vec<u8> {
    [MAGIC.as_slice(), compatibility].concat()
}

/// What follows the greeting and precedes the body.
pub(super) fn announce(kind: Kind, bytes: usize) -> Vec<u8> {
    [&[kind as u8][..], &(bytes as u64).to_le_bytes()].concat()
}

/// Looks at all that has arrived so far.
pub(super) fn read(arrived: &[u8], compatibility: &[u8; 32], body_bytes_max: usize) -> Read {
    let known = arrived.len().min(MAGIC.len());
    if arrived[..known] != MAGIC[..known] {
        return Read::Foreign;
    }
    let found = arrived.get(MAGIC.len()..GREETING_BYTES);
    // Who cannot begin does not know its compatibility.
    let unable = found == Some(&[0; 32]);
    if !unable && found.is_some_and(|found| found != compatibility) {
        return Read::OtherVersion;
    }
    let Some((head, body)) = arrived.split_at_checked(HEAD_BYTES) else { return Read::Partial };
    let kind = match head[GREETING_BYTES] {
        3 => Kind::Unable,
        _ if unable => return Read::Foreign,
        0 => Kind::Code,
        1 => Kind::Invalid,
        2 => Kind::Memory,
        _ => return Read::Foreign,
    };
    let announced = head[GREETING_BYTES + 1..].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let max = if kind == Kind::Code { body_bytes_max } else { MESSAGE_BYTES_MAX };
    match announced {
        announced if announced > max as u64 => Read::TooMuch(announced),
        announced if (body.len() as u64) < announced => Read::Partial,
        announced if body.len() as u64 == announced => Read::Whole(kind),
        _ => Read::Foreign,
    }
}

struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks: the digest is longer.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: [u8; 32] = [7; 32];

    fn answer(kind: u8, announced: u64, body: &[u8]) -> Vec<u8> {
        [&greeting(&HASH)[..], &[kind], &announced.to_le_bytes(), body].concat()
    }

    #[test]
    fn an_answer_is_whole_only_at_its_last_byte() {
        let whole = answer(0, 3, b"abc");
        assert_eq!(whole, [greeting(&HASH), announce(Kind::Code, 3), b"abc".to_vec()].concat());
        for bytes in 0..whole.len() {
            assert_eq!(read(&whole[..bytes], &HASH, 3), Read::Partial, "{bytes}");
        }
        assert_eq!(read(&whole, &HASH, 3), Read::Whole(Kind::Code));
    }

    #[test]
    fn what_no_child_of_ours_writes_is_told_apart() {
        let table = [
            (b"Usage: x".to_vec(), Read::Foreign),
            ([&MAGIC[..8], b"x"].concat(), Read::Foreign),
            (greeting(&[8; 32]), Read::OtherVersion),
            (answer(4, 0, b""), Read::Foreign),
            (answer(0, 101, b""), Read::TooMuch(101)),
            (answer(0, u64::MAX, b""), Read::TooMuch(u64::MAX)),
            (answer(1, MESSAGE_BYTES_MAX as u64 + 1, b""), Read::TooMuch(MESSAGE_BYTES_MAX as u64 + 1)),
            (answer(0, 1, b"ab"), Read::Foreign),
            (answer(2, 0, b""), Read::Whole(Kind::Memory)),
            ([&greeting(&[0; 32])[..], &[3], &1u64.to_le_bytes(), b"x"].concat(), Read::Whole(Kind::Unable)),
            ([&greeting(&[0; 32])[..], &[0], &1u64.to_le_bytes(), b"x"].concat(), Read::Foreign),
        ];
        for (arrived, expected) in table {
            assert_eq!(read(&arrived, &HASH, 100), expected, "{arrived:?}");
        }
    }
}
