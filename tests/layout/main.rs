//! What a reader may rely on without looking: sizes, layers, names, and that nothing is forgotten.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod documents;
mod manifest;
mod sizes;
mod structure;
mod tree;
