//! Types of a component as text, to compare and to show.

pub(super) mod parsed;

use std::fmt::{Result, Write};
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};

/// The one function that makes a component a handler, as `wit/handler.wit` has it.
pub(super) const RUN: &str = "run(string) -> result<variant{success(option<string>), \
    wait(record{until: variant{at(u64), after(u64), signal(string)}, reason: option<string>})}, \
    variant{retryable(record{failure: record{code: string, message: string, details: option<string>}, \
    after-ms: option<u64>}), fatal(record{code: string, message: string, details: option<string>}), \
    cancelled, other(record{code: string, message: string, details: option<string>})}>";

/// Where a text ends. A component of 100 KB can hold a type that would be gigabytes when written out.
const TEXT_BYTES_MAX: usize = 2 * RUN.len();

/// The type of `run` in an exported instance, if it has one.
pub(super) fn of_run(component: &Component, export: &str) -> Option<String> {
    let engine = component.engine();
    let ComponentItem::ComponentInstance(instance) =
        component.component_type().get_export(engine, export)?.ty
    else {
        return None;
    };
    let ComponentItem::ComponentFunc(run) = instance.get_export(engine, "run")?.ty else { return None };
    let mut text = Text(String::new());
    if function(&mut text, &run).is_err() {
        text.0.push('…');
    }
    Some(text.0)
}

/// Takes no more than its bound. Whoever writes stops at the first error.
struct Text(String);

impl Write for Text {
    fn write_str(&mut self, part: &str) -> Result {
        if self.0.len() + part.len() > TEXT_BYTES_MAX {
            return Err(std::fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

fn function(text: &mut Text, run: &ComponentFunc) -> Result {
    text.write_str("run(")?;
    list(text, run.params(), |text, (_, kind)| shape(text, &kind))?;
    text.write_str(") -> ")?;
    list(text, run.results(), |text, kind| shape(text, &kind))
}

fn shape(text: &mut Text, kind: &Type) -> Result {
    match kind {
        Type::String => text.write_str("string"),
        Type::U64 => text.write_str("u64"),
        Type::Option(inner) => {
            text.write_str("option<")?;
            shape(text, &inner.ty())?;
            text.write_str(">")
        }
        Type::Result(result) => {
            text.write_str("result<")?;
            part(text, result.ok())?;
            text.write_str(", ")?;
            part(text, result.err())?;
            text.write_str(">")
        }
        Type::Record(record) => {
            text.write_str("record{")?;
            list(text, record.fields(), |text, field| {
                write!(text, "{}: ", field.name)?;
                shape(text, &field.ty)
            })?;
            text.write_str("}")
        }
        Type::Variant(variant) => {
            text.write_str("variant{")?;
            list(text, variant.cases(), |text, case| {
                text.write_str(case.name)?;
                let Some(kind) = &case.ty else { return Ok(()) };
                text.write_str("(")?;
                shape(text, kind)?;
                text.write_str(")")
            })?;
            text.write_str("}")
        }
        // No handler has these in `run`; that they are no match is all that matters.
        other => {
            let name = format!("{other:?}");
            text.write_str(&name.split('(').next().unwrap_or_default().to_lowercase())
        }
    }
}

fn part(text: &mut Text, kind: Option<Type>) -> Result {
    match kind {
        Some(kind) => shape(text, &kind),
        None => text.write_str("_"),
    }
}

fn list<T>(text: &mut Text, items: impl Iterator<Item = T>, each: impl Fn(&mut Text, T) -> Result) -> Result {
    for (at, item) in items.enumerate() {
        text.write_str(if at == 0 { "" } else { ", " })?;
        each(text, item)?;
    }
    Ok(())
}
