//! From a core module, which most compilers make, to a component.

use super::Fault;
use super::world::WORLD;
use std::path::Path;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a core module says of itself.
pub(super) struct Shape {
    /// It exports `describe`.
    pub(super) describes: bool,
    /// It imports WASI as it was before components.
    preview1: bool,
}

impl Shape {
    /// Reads no more than names.
    pub(super) fn of(module: &[u8]) -> Result<Self, Fault> {
        let bad = |error: &dyn std::fmt::Display| Fault::Failed(format!("the compiler's output: {error}"));
        let mut shape = Shape { describes: false, preview1: false };
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(|error| bad(&error))? {
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let name = export.map_err(|error| bad(&error))?.name;
                        shape.describes |= name.starts_with("flowmonkey:jobs/metadata");
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        shape.preview1 |= import.map_err(|error| bad(&error))?.module == PREVIEW1;
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }
}

/// The module without what debuggers need, which is most of it; names of functions stay. What is no module stays as it is.
pub(super) fn without_debug_sections(module: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: usize = 8;
    let mut kept = module[..HEADER_BYTES.min(module.len())].to_vec();
    for payload in Parser::new(0).parse_all(module) {
        let Ok(payload) = payload else { return module.to_vec() };
        if let Payload::CustomSection(section) = &payload
            && section.name().starts_with(".debug_")
        {
            continue;
        }
        let Some((id, contents)) = payload.as_section() else { continue };
        kept.push(id);
        write_length(&mut kept, contents.len());
        kept.extend_from_slice(&module[contents]);
    }
    kept
}

/// In LEB128, as WebAssembly writes whole numbers.
fn write_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

/// Wraps a core module of this shape for the world in this folder of WIT. Imports that it does not use are left out.
pub(super) fn encode(mut module: Vec<u8>, shape: &Shape, wit: &Path) -> Result<Vec<u8>, Fault> {
    let mut encode = || -> anyhow::Result<Vec<u8>> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(wit)?;
        let world = resolve.select_world(&[package], Some(WORLD))?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
        let mut encoder = ComponentEncoder::default().validate(true).module(&module)?;
        if shape.preview1 {
            encoder = encoder.adapter(PREVIEW1, ADAPTER)?;
        }
        encoder.encode()
    };
    encode().map_err(|error| Fault::Failed(format!("no component can be made of it: {error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module of a custom section and nothing else.
    fn module(name: &str, bytes: usize) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0\0".to_vec();
        write_length(&mut module, 1 + name.len() + bytes);
        module.push(name.len() as u8);
        module.extend_from_slice(name.as_bytes());
        module.extend(std::iter::repeat_n(7, bytes));
        module
    }

    #[test]
    fn debug_sections_go_and_others_stay() {
        assert_eq!(without_debug_sections(&module(".debug_info", 300)), b"\0asm\x01\0\0\0");
        let named = module("note", 300);
        assert_eq!(without_debug_sections(&named), named);
        assert_eq!(without_debug_sections(b"nonsense, no module"), b"nonsense, no module");
    }
}
