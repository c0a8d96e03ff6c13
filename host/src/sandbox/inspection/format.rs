use std::fmt;

/// How many bytes at the beginning tell text from the rest.
const GLANCE_BYTES: usize = 512;
const WASM: &[u8] = b"\0asm";
/// The version of the component binary format: 13, in the layer 1.
const COMPONENT_VERSION: u16 = 13;
/// Where an ELF file names the system it is for, and what wasmtime writes there.
const ELF_SYSTEM: (usize, u8) = (7, 200);

/// What a file is, as far as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A WebAssembly component: what a handler is.
    Component,
    /// A core WebAssembly module.
    CoreModule,
    /// A core module that was not linked yet.
    WasmObject,
    /// WebAssembly in a version or layer that this host does not know.
    WasmVersion {
        /// The version.
        version: u16,
        /// 0 is a core module, 1 a component.
        layer: u16,
    },
    /// WebAssembly that ends within its first eight bytes.
    WasmBeginning,
    /// Nothing.
    Empty,
    /// Machine code that wasmtime compiled ahead of time.
    Precompiled,
    /// WebAssembly as text.
    WasmText,
    /// An interface description.
    Wit,
    /// A web page, or other markup.
    Markup,
    /// A pointer that Git LFS leaves where it did not fetch the file.
    LfsPointer,
    /// Other text.
    Text,
    /// Compressed or packed; which way is named.
    Packed(&'static str),
    /// A program or library for a machine; the kind is named.
    MachineCode(&'static str),
    /// None of these.
    Unknown,
}

impl Format {
    /// Looks at the first few hundred bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        if let Some(rest) = bytes.strip_prefix(WASM) {
            return wasm(rest);
        }
        const MAGIC: &[(&[u8], Format)] = &[
            (b"\x1f\x8b", Format::Packed("gzip")),
            (b"PK\x03\x04", Format::Packed("zip")),
            (b"\x28\xb5\x2f\xfd", Format::Packed("zstd")),
            (b"\xfd7zXZ\0", Format::Packed("xz")),
            (b"BZh", Format::Packed("bzip2")),
            (b"MZ", Format::MachineCode("Windows")),
            (b"\xcf\xfa\xed\xfe", Format::MachineCode("macOS")),
            (b"\xca\xfe\xba\xbe", Format::MachineCode("macOS or Java")),
            (b"!<arch>\n", Format::MachineCode("static library")),
            (b"BC\xc0\xde", Format::MachineCode("LLVM bitcode")),
        ];
        match MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            Some((_, format)) => *format,
            None if bytes.is_empty() => Format::Empty,
            None if bytes.starts_with(b"\x7fELF") => {
                let (at, wasmtime) = ELF_SYSTEM;
                let ours = bytes.get(at) == Some(&wasmtime);
                if ours { Format::Precompiled } else { Format::MachineCode("ELF") }
            }
            None if bytes.get(257..262) == Some(b"ustar") => Format::Packed("tar"),
            None => text(&bytes[..bytes.len().min(GLANCE_BYTES)]),
        }
    }

    /// Its name for programs. None is ever renamed.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Component => "component",
            Format::CoreModule => "core-module",
            Format::WasmObject => "wasm-object",
            Format::WasmVersion { .. } => "wasm-of-other-version",
            Format::WasmBeginning => "wasm-beginning",
            Format::Empty => "empty",
            Format::Precompiled => "precompiled",
            Format::WasmText => "wasm-text",
            Format::Wit => "wit",
            Format::Markup => "markup",
            Format::LfsPointer => "git-lfs-pointer",
            Format::Text => "text",
            Format::Packed(_) => "packed",
            Format::MachineCode(_) => "machine-code",
            Format::Unknown => "unknown",
        }
    }

    /// What to give instead.
    pub fn remedy(&self) -> String {
        const BUILD: &str = "Build for a component target (Rust: `cargo build --target wasm32-wasip2`)";
        const FILE: &str = "Give the .wasm file that the handler's toolchain writes";
        let older = |version| version < COMPONENT_VERSION;
        match *self {
            Format::Component => String::new(),
            Format::CoreModule => format!("{BUILD}, or wrap it with `wasm-tools component new`"),
            Format::WasmObject => format!("{BUILD}, so that it is linked"),
            Format::WasmVersion { version, layer: 1 } if older(version) => {
                format!("Rebuild it with a toolchain of today, which writes version {COMPONENT_VERSION}")
            }
            Format::WasmVersion { .. } => {
                format!(
                    "This host reads components of version {COMPONENT_VERSION}; update it, or build for that"
                )
            }
            Format::WasmBeginning | Format::Empty => {
                format!("Writing or copying it may have been cut short. {FILE}")
            }
            Format::Precompiled => {
                "Only machine code that this host compiled itself is run. Give the .wasm file that it was \
                 compiled from"
                    .into()
            }
            Format::WasmText => "Translate it with `wasm-tools parse FILE.wat -o FILE.wasm`".into(),
            Format::Wit => format!("It describes a component; it is none. {FILE}"),
            Format::Markup => format!("A download may have failed. {FILE}"),
            Format::LfsPointer => "Fetch the file itself with `git lfs pull`".into(),
            Format::Packed(_) => "Unpack it, and give the .wasm file that is inside".into(),
            Format::MachineCode(_) => BUILD.into(),
            Format::Text | Format::Unknown => FILE.into(),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Component => "a WebAssembly component",
            Format::CoreModule => "a core WebAssembly module",
            Format::WasmObject => "a WebAssembly object file, not linked yet",
            Format::WasmVersion { version, layer: 0 } => {
                return write!(f, "a core WebAssembly module of the unknown version {version}");
            }
            Format::WasmVersion { version, layer: 1 } => {
                return write!(f, "a WebAssembly component of the unknown version {version}");
            }
            Format::WasmVersion { version, layer } => {
                return write!(f, "WebAssembly of the unknown layer {layer}, version {version}");
            }
            Format::WasmBeginning => "the beginning of a WebAssembly file",
            Format::Empty => "an empty file",
            Format::Precompiled => "machine code that wasmtime compiled ahead of time (.cwasm)",
            Format::WasmText => "WebAssembly as text (.wat)",
            Format::Wit => "an interface description (.wit)",
            Format::Markup => "a web page or other markup",
            Format::LfsPointer => "a pointer of Git LFS",
            Format::Text => "text",
            Format::Packed(how) => return write!(f, "a packed file ({how})"),
            Format::MachineCode(which) => return write!(f, "machine code ({which})"),
            Format::Unknown => "something of no known format",
        })
    }
}

/// What follows the magic: version, layer.
fn wasm(rest: &[u8]) -> Format {
    let Some(&[a, b, c, d]) = rest.get(..4) else { return Format::WasmBeginning };
    match (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])) {
        (1, 0) => Format::CoreModule,
        (COMPONENT_VERSION, 1) => Format::Component,
        (version, layer) => Format::WasmVersion { version, layer },
    }
}

fn text(glance: &[u8]) -> Format {
    let readable = match std::str::from_utf8(glance) {
        Ok(text) => text,
        // The glance may end within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&glance[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Format::Unknown,
    };
    if readable.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Format::Unknown;
    }
    let code = after_comments(readable.trim_start_matches('\u{feff}'));
    let starts = |beginning: &str| code.starts_with(beginning);
    match () {
        () if starts("(component") || starts("(module") => Format::WasmText,
        () if starts("<") => Format::Markup,
        () if starts("version https://git-lfs.github.com/") => Format::LfsPointer,
        () if starts("package ") || starts("interface ") || starts("world ") => Format::Wit,
        () => Format::Text,
    }
}

/// Skips blanks and lines that are comments in WebAssembly's text or in WIT.
fn after_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with(";;") || rest.starts_with("//") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_it_is() {
        let tar = [&[b'x'; 257][..], b"ustar\0"].concat();
        let page = "<!DOCTYPE html>".to_owned() + &"é".repeat(GLANCE_BYTES);
        let table: &[(&[u8], &str)] = &[
            (b"\0asm\x0d\0\x01\0", "component"),
            (b"\0asm\x01\0\0\0", "core-module"),
            (b"\0asm\x0a\0\x01\0", "wasm-of-other-version"),
            (b"\0asm\x02\0\0\0", "wasm-of-other-version"),
            (b"\0asm\x0d\0\x01", "wasm-beginning"),
            (b"", "empty"),
            (b"\x7fELF\x02\x01\x01\xc8", "precompiled"),
            (b"\x7fELF\x02\x01\x01\0", "machine-code"),
            (b"MZ\x90\0", "machine-code"),
            (b"(component)", "wasm-text"),
            (b"\n;; a guest\n  (module)", "wasm-text"),
            (b"// the contract\npackage a:b;", "wit"),
            (page.as_bytes(), "markup"),
            (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs-pointer"),
            (b"404: Not Found", "text"),
            ("\u{feff}hello".as_bytes(), "text"),
            (b"\x1f\x8b\x08", "packed"),
            (b"PK\x03\x04", "packed"),
            (&tar, "packed"),
            (b"hello\0", "unknown"),
            (b"\xff\xfe", "unknown"),
            (b"asm", "text"),
        ];
        for (bytes, expected) in table {
            let format = Format::of(bytes);
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(format.name(), *expected, "{shown:?}");
            assert!(!format.to_string().is_empty());
            assert_eq!(format.remedy().is_empty(), format == Format::Component, "{shown:?}");
        }
    }
}
