//! What a file is, read without compiling or running any of it. A hostile file costs one pass over its bytes.

mod format;
mod types;
pub(super) mod validity;
mod walk;

pub use format::Format;

use std::collections::BTreeSet;

/// How many imports, exports and the like are kept; more are counted. Real handlers have dozens.
pub(super) const KEPT_MAX: usize = 1000;
/// A text that is kept is cut here. Real names have at most some dozens of bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// How deep components may be nested in each other. Toolchains nest three or four.
pub(super) const DEPTH_MAX: usize = 64;

/// What [`inspect`] found. All that is in here was written by whoever built the file: show it with care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// What the file is.
    pub format: Format,
    /// Its size in bytes.
    pub bytes: usize,
    /// Where and why reading ended before the file did.
    pub damage: Option<String>,
    /// The name it gives itself.
    pub name: Option<String>,
    /// What it imports. Of a core module: the modules it imports from.
    pub imports: Names,
    /// What it exports.
    pub exports: Names,
    /// Languages and tools that made it or a part of it.
    pub producers: BTreeSet<Producer>,
    /// Core modules, those of nested components included. A core module is one itself.
    pub modules: u64,
    /// Components nested in it.
    pub components: u64,
    /// Bytes that define types, imports, exports and how parts are put together. Real handlers have some
    /// thousands.
    pub wiring_bytes: u64,
    /// What may be a copy of a part of that: instances, imports and exports, at whatever depth.
    pub wiring_copies: u64,
    /// Functions with a body.
    pub functions: u64,
    /// The largest body of a function, in bytes.
    pub function_bytes_max: usize,
    /// Memories that modules define.
    pub memories: Sizes,
    /// Tables that modules define.
    pub tables: Sizes,
    /// What is no code.
    pub custom: CustomBytes,
}

/// Names in the order of the file, the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// At most 1000, each cut at 4096 bytes.
    pub kept: Vec<String>,
    /// How many more there are.
    pub more: u64,
}

/// A line of the section `producers`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub role: String,
    /// Such as `Rust`.
    pub name: String,
    /// Such as `1.95.0`; may be empty.
    pub version: String,
}

/// Memories or tables as modules declare them, the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// At most 1000.
    pub kept: Vec<Size>,
    /// How many more there are.
    pub more: u64,
}

/// The size of a memory in pages, or of a table in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// What it begins with.
    pub initial: u64,
    /// What it declares that it will never pass.
    pub maximum: Option<u64>,
}

/// Bytes in custom sections, of which an attempt needs none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CustomBytes {
    /// All of them.
    pub all: usize,
    /// Those of debuggers: the sections `.debug_…`.
    pub debug: usize,
    /// Names of functions, which make backtraces readable.
    pub names: usize,
}

/// Reads a file of any kind once, from its first byte to its last or to where it is damaged. It neither panics
/// nor recurses; what it keeps is at most a few times as large as the file, and seldom a hundredth.
pub fn inspect(bytes: &[u8]) -> Inspection {
    let mut inspection = Inspection {
        format: Format::of(bytes),
        bytes: bytes.len(),
        damage: None,
        name: None,
        imports: Names::default(),
        exports: Names::default(),
        producers: BTreeSet::new(),
        modules: 0,
        components: 0,
        wiring_bytes: 0,
        wiring_copies: 0,
        functions: 0,
        function_bytes_max: 0,
        memories: Sizes::default(),
        tables: Sizes::default(),
        custom: CustomBytes::default(),
    };
    if matches!(inspection.format, Format::Component | Format::CoreModule) {
        walk::walk(bytes, &mut inspection);
    }
    inspection
}

impl Names {
    fn add(&mut self, name: &str) {
        if self.kept.len() < KEPT_MAX { self.kept.push(cut(name)) } else { self.more += 1 }
    }
}

impl Sizes {
    fn add(&mut self, initial: u64, maximum: Option<u64>) {
        if self.kept.len() < KEPT_MAX { self.kept.push(Size { initial, maximum }) } else { self.more += 1 }
    }
}

pub(super) fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
