//! JSON Schemas of a handler's input, output and configuration. They come from handlers, and this program itself
//! evaluates them: what could cost more than its size says is refused when they are compiled.

mod bounds;
mod cost;
mod pattern;
mod reference;
#[cfg(test)]
mod tests;
mod unique;
mod violation;

pub use violation::Violation;

use super::WrittenSchemas;
use crate::job::{ErrorCode, JobError, JsonText};
use bounds::Bounded;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Compiled schemas; any of the three may be absent. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Schemas {
    input: Option<Arc<Bounded>>,
    output: Option<Arc<Bounded>>,
    config: Option<Arc<Bounded>>,
}

impl Schemas {
    /// Compiles schemas of the dialects 2020-12 (the default), 2019-09, draft 7 and draft 6. `format`,
    /// `contentEncoding` and the like are for readers and not checked. Takes up to some tenths of a second for a hostile
    /// one: call it where blocking is allowed.
    ///
    /// # Errors
    /// Names the schema (`input`, `output` or `config`) and what is wrong in it, or which bound it passes: size (256 KiB),
    /// depth (64), references that lead elsewhere or back to themselves, parts with all references unrolled (2,000), and
    /// patterns that linear time cannot match.
    pub fn compile(
        input: Option<&Value>,
        output: Option<&Value>,
        config: Option<&Value>,
    ) -> Result<Self, String> {
        let compile = |what: &str, schema: Option<&Value>| {
            let compiled = schema.map(|schema| Bounded::compile(schema).map(Arc::new)).transpose();
            compiled.map_err(|why| format!("the {what} schema: {why}"))
        };
        Ok(Schemas {
            input: compile("input", input)?,
            output: compile("output", output)?,
            config: compile("config", config)?,
        })
    }

    /// As [`Schemas::compile`], on a thread that holds up nobody.
    pub(super) async fn compile_aside(written: WrittenSchemas) -> Result<Self, String> {
        let compile = move || {
            let WrittenSchemas { input, output, config } = &written;
            Schemas::compile(input.as_ref(), output.as_ref(), config.as_ref())
        };
        tokio::task::spawn_blocking(compile).await.map_err(|error| error.to_string())?
    }

    /// What the store holds of them, if anything; compiled as [`Schemas::compile_aside`] does.
    pub(super) async fn from_store(text: Option<&JsonText>) -> Result<Self, String> {
        match text {
            Some(text) => Schemas::compile_aside(WrittenSchemas::from_json(text)?).await,
            None => Ok(Schemas::default()),
        }
    }

    /// As [`Schemas::to_json`] wrote them.
    ///
    /// # Errors
    /// As [`Schemas::compile`]; and when it is no object of these.
    pub fn from_json(text: &JsonText) -> Result<Self, String> {
        let WrittenSchemas { input, output, config } = WrittenSchemas::from_json(text)?;
        Schemas::compile(input.as_ref(), output.as_ref(), config.as_ref())
    }

    /// An object with any of `input`, `output` and `config`, for the store; `None` without any.
    pub fn to_json(&self) -> Option<JsonText> {
        let each = [("input", &self.input), ("output", &self.output), ("config", &self.config)];
        let present = each.into_iter().filter_map(|(what, schema)| Some((what, schema.as_ref()?)));
        let parts: Vec<String> =
            present.map(|(what, schema)| format!("\"{what}\": {}", schema.source())).collect();
        if parts.is_empty() {
            return None;
        }
        let text = format!("{{{}}}", parts.join(", "));
        // Each part was checked by itself when it was compiled.
        JsonText::parse_limited(&text, text.len()).ok()
    }

    /// Whether there is a schema of the input.
    pub fn has_input(&self) -> bool {
        self.input.is_some()
    }

    /// Whether there is a schema of the output.
    pub fn has_output(&self) -> bool {
        self.output.is_some()
    }

    /// Whether there is a schema of the configuration.
    pub fn has_config(&self) -> bool {
        self.config.is_some()
    }

    /// Whether a job may be called with this. Does not wait for anything but computes, for up to two seconds with a
    /// large input and a hostile schema: call it where blocking is allowed.
    ///
    /// # Errors
    /// What is wrong where, the first 20 places.
    pub fn check_input(&self, input: &JsonText) -> Result<(), Vec<Violation>> {
        check(self.input.as_deref(), input)
    }

    /// Whether this may be a job's result. As [`Schemas::check_input`]; no result at all counts as `null`.
    ///
    /// # Errors
    /// What is wrong where, the first 20 places.
    pub fn check_output(&self, output: &JsonText) -> Result<(), Vec<Violation>> {
        check(self.output.as_deref(), output)
    }

    /// Whether the operator's configuration fits: an object whose values are all texts. The answer shows no value,
    /// since any may be a secret.
    ///
    /// # Errors
    /// What is wrong where, the first 20 places.
    pub fn check_config(&self, config: &BTreeMap<String, String>) -> Result<(), Vec<Violation>> {
        let Some(schema) = &self.config else { return Ok(()) };
        let values: Map<String, Value> =
            config.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        schema.check(&Value::Object(values), violation::Shown::Nothing)
    }

    /// The error of an attempt whose input does not fit: `INVALID_INPUT`, with the places as details.
    pub fn input_error(&self, input: &JsonText) -> Option<JobError> {
        let violations = self.check_input(input).err()?;
        Some(violation::error(
            ErrorCode::InvalidInput,
            "the input does not fit the handler's schema",
            &violations,
        ))
    }

    /// The error of an attempt whose result does not fit: `INVALID_OUTPUT`, with the places as details.
    pub fn output_error(&self, output: &JsonText) -> Option<JobError> {
        let violations = self.check_output(output).err()?;
        Some(violation::error(
            ErrorCode::InvalidOutput,
            "the result does not fit the handler's schema",
            &violations,
        ))
    }
}

fn check(schema: Option<&Bounded>, text: &JsonText) -> Result<(), Vec<Violation>> {
    schema.map_or(Ok(()), |schema| schema.check_text(text))
}
