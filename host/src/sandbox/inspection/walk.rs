use super::types::{self, TYPE_DEPTH_MAX};
use super::{DEPTH_MAX, Format, Inspection, KEPT_MAX, Producer, cut};
use wasmparser::{
    ComponentName, ComponentTypeRef, CustomSectionReader, Encoding, KnownCustom, Name, Parser, Payload,
    Result, TypeBounds,
};

/// Reads sections in the order of the file, those of nested modules and components where they stand.
pub(super) fn walk(bytes: &[u8], inspection: &mut Inspection) {
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let read = payload.and_then(|payload| {
            match &payload {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    match encoding {
                        Encoding::Module => inspection.modules += 1,
                        Encoding::Component if depth > 1 => inspection.components += 1,
                        Encoding::Component => {}
                    }
                }
                Payload::End(_) => depth -= 1,
                _ => wiring(&payload, bytes, inspection)?,
            }
            section(payload, depth == 1, inspection)
        });
        if let Err(error) = read {
            let reason = cut(error.message());
            inspection.damage = Some(format!("{reason} (at byte {} of {})", error.offset(), bytes.len()));
        }
        if depth > DEPTH_MAX {
            inspection.damage = Some(format!("components are nested more than {DEPTH_MAX} deep"));
        }
        if inspection.damage.is_some() {
            return;
        }
    }
}

/// Adds up what checking types would have to do.
fn wiring(payload: &Payload<'_>, bytes: &[u8], found: &mut Inspection) -> Result<()> {
    let (range, copies) = match payload {
        Payload::CoreTypeSection(section) => (section.range(), 0),
        Payload::InstanceSection(section) => (section.range(), 0),
        Payload::ComponentAliasSection(section) => (section.range(), 0),
        Payload::ComponentCanonicalSection(section) => (section.range(), 0),
        Payload::ComponentInstanceSection(section) => (section.range(), section.count().into()),
        Payload::ComponentImportSection(section) => (section.range(), section.count().into()),
        Payload::ComponentExportSection(section) => (section.range(), section.count().into()),
        Payload::ComponentTypeSection(section) => {
            let range = section.range();
            let held = types::scan(&bytes[range.clone()], range.start)?;
            if held.too_deep {
                found.damage = Some(format!("types are nested more than {TYPE_DEPTH_MAX} deep"));
            }
            (range, held.instances)
        }
        _ => return Ok(()),
    };
    found.wiring_bytes += range.len() as u64;
    found.wiring_copies += copies;
    Ok(())
}

fn section(payload: Payload<'_>, outermost: bool, found: &mut Inspection) -> Result<()> {
    match payload {
        Payload::ComponentImportSection(imports) if outermost => {
            for import in imports {
                let import = import?;
                // Only a name for a type that another import defines: the host supplies nothing.
                if !matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))) {
                    found.imports.add(import.name.name);
                }
            }
        }
        Payload::ComponentExportSection(exports) if outermost => {
            for export in exports {
                found.exports.add(export?.name.name);
            }
        }
        Payload::ImportSection(imports) if outermost => {
            for import in imports.into_imports() {
                let module = import?.module;
                if found.imports.kept.last().is_none_or(|last| *last != cut(module)) {
                    found.imports.add(module);
                }
            }
        }
        Payload::ExportSection(exports) if outermost => {
            for export in exports {
                found.exports.add(export?.name);
            }
        }
        Payload::CodeSectionEntry(body) => {
            found.functions += 1;
            found.function_bytes_max = found.function_bytes_max.max(body.range().len());
        }
        Payload::MemorySection(memories) => {
            for memory in memories {
                let memory = memory?;
                found.memories.add(memory.initial, memory.maximum);
            }
        }
        Payload::TableSection(tables) => {
            for table in tables {
                let table = table?.ty;
                found.tables.add(table.initial, table.maximum);
            }
        }
        Payload::CustomSection(section) => custom(&section, outermost, found),
        _ => {}
    }
    Ok(())
}

/// Nothing depends on these: what cannot be read is left out, as wasmtime does.
fn custom(section: &CustomSectionReader<'_>, outermost: bool, found: &mut Inspection) {
    let (name, bytes) = (section.name(), section.range().len());
    found.custom.all += bytes;
    if name.starts_with(".debug_") {
        found.custom.debug += bytes;
    }
    if matches!(name, "name" | "component-name") {
        found.custom.names += bytes;
    }
    if outermost && matches!(name, "linking" | "reloc.CODE") && found.format == Format::CoreModule {
        found.format = Format::WasmObject;
    }
    match section.as_known() {
        KnownCustom::Producers(fields) => {
            for field in fields.into_iter().map_while(Result::ok) {
                for value in field.values.into_iter().map_while(Result::ok) {
                    if found.producers.len() < KEPT_MAX {
                        let (role, name, version) = (field.name, value.name, value.version);
                        let [role, name, version] = [role, name, version].map(cut);
                        found.producers.insert(Producer { role, name, version });
                    }
                }
            }
        }
        KnownCustom::ComponentName(names) if outermost && found.name.is_none() => {
            found.name = names.into_iter().map_while(Result::ok).find_map(|name| match name {
                ComponentName::Component { name, .. } => Some(cut(name)),
                _ => None,
            });
        }
        KnownCustom::Name(names) if outermost && found.name.is_none() => {
            found.name = names.into_iter().map_while(Result::ok).find_map(|name| match name {
                Name::Module { name, .. } => Some(cut(name)),
                _ => None,
            });
        }
        _ => {}
    }
}
