//! The same texts, of a component that was validated and not compiled.

use super::{Text, list};
use std::fmt::{Result, Write};
use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentDefinedType, ComponentEntityType, ComponentFuncType, ComponentValType,
};
use wasmparser::types::Types;

/// What [`super::of_run`] says once it is compiled.
pub(in crate::sandbox) fn of_run(types: &Types, export: &str) -> Option<String> {
    let ComponentEntityType::Instance(instance) = types.as_ref().component_item_for_export(export)?.ty else {
        return None;
    };
    let ComponentEntityType::Func(run) = types[instance].exports.get("run")?.ty else { return None };
    let mut text = Text(String::new());
    if function(&mut text, types, &types[run]).is_err() {
        text.0.push('…');
    }
    Some(text.0)
}

fn function(text: &mut Text, types: &Types, run: &ComponentFuncType) -> Result {
    text.write_str("run(")?;
    list(text, run.params.iter(), |text, (_, kind)| shape(text, types, *kind))?;
    text.write_str(") -> ")?;
    list(text, run.result.iter(), |text, kind| shape(text, types, *kind))
}

/// Recursion ends: a valid type is at most 100 deep.
fn shape(text: &mut Text, types: &Types, kind: ComponentValType) -> Result {
    let defined = match kind {
        ComponentValType::Primitive(kind) => return primitive(text, kind),
        ComponentValType::Type(id) => &types[id],
    };
    match defined {
        ComponentDefinedType::Primitive(kind) => primitive(text, *kind),
        ComponentDefinedType::Option { ty, .. } => {
            text.write_str("option<")?;
            shape(text, types, *ty)?;
            text.write_str(">")
        }
        ComponentDefinedType::Result { ok, err, .. } => {
            text.write_str("result<")?;
            part(text, types, *ok)?;
            text.write_str(", ")?;
            part(text, types, *err)?;
            text.write_str(">")
        }
        ComponentDefinedType::Record(record) => {
            text.write_str("record{")?;
            list(text, record.fields.iter(), |text, (name, kind)| {
                write!(text, "{name}: ")?;
                shape(text, types, *kind)
            })?;
            text.write_str("}")
        }
        ComponentDefinedType::Variant(variant) => {
            text.write_str("variant{")?;
            list(text, variant.cases.iter(), |text, (name, case)| {
                text.write_str(name)?;
                let Some(kind) = case.ty else { return Ok(()) };
                text.write_str("(")?;
                shape(text, types, kind)?;
                text.write_str(")")
            })?;
            text.write_str("}")
        }
        ComponentDefinedType::List { .. } => text.write_str("list"),
        ComponentDefinedType::Map { .. } => text.write_str("map"),
        ComponentDefinedType::FixedLengthList { .. } => text.write_str("fixedlengthlist"),
        ComponentDefinedType::Tuple(_) => text.write_str("tuple"),
        ComponentDefinedType::Flags(_) => text.write_str("flags"),
        ComponentDefinedType::Enum(_) => text.write_str("enum"),
        ComponentDefinedType::Own(_) => text.write_str("own"),
        ComponentDefinedType::Borrow(_) => text.write_str("borrow"),
        ComponentDefinedType::Future { .. } => text.write_str("future"),
        ComponentDefinedType::Stream { .. } => text.write_str("stream"),
    }
}

fn primitive(text: &mut Text, kind: PrimitiveValType) -> Result {
    match kind {
        PrimitiveValType::F32 => text.write_str("float32"),
        PrimitiveValType::F64 => text.write_str("float64"),
        other => text.write_str(&other.to_string()),
    }
}

fn part(text: &mut Text, types: &Types, kind: Option<ComponentValType>) -> Result {
    match kind {
        Some(kind) => shape(text, types, kind),
        None => text.write_str("_"),
    }
}
