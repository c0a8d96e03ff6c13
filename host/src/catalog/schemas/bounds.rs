use super::violation::{Shown, VIOLATIONS_MAX, Violation};
use super::{cost, pattern, reference, unique};
use crate::catalog::manifest::SCHEMA_BYTES_MAX;
use crate::job::JsonText;
use cost::Cost;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// How deep a schema's objects and arrays may be nested.
const DEPTH_MAX: usize = 64;
/// A text with more values than this is not even read.
const VALUES_MAX: usize = 1_000_000;
/// What a check may cost in all. A step takes a few nanoseconds, and 15 in a pattern that is made to be slow.
const STEPS_MAX: u64 = 100_000_000;
/// Up to here every place is looked for; the list is made before it is cut.
const LISTED_STEPS_MAX: u64 = 100_000;
/// As many bytes as the pointers in that list may have together.
const LISTED_BYTES_MAX: u64 = 50_000_000;

/// A schema whose evaluation is bounded, by itself and together with what it is applied to.
pub(super) struct Bounded {
    source: JsonText,
    validator: Validator,
    cost: Cost,
}

impl Bounded {
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        if depth(schema, 0) > DEPTH_MAX {
            return Err(format!("is nested deeper than {DEPTH_MAX} levels"));
        }
        let source = JsonText::parse_limited(&schema.to_string(), SCHEMA_BYTES_MAX);
        let source = source.map_err(|error| error.to_string())?;
        let mut bare = schema.clone();
        let draft = take_dialect(&mut bare)?;
        reference::check(&bare)?;
        let cost = cost::of(&bare)?;
        let options = jsonschema::options()
            .with_draft(draft)
            .offline()
            .with_pattern_options(
                PatternOptions::regex()
                    .size_limit(pattern::COMPILED_BYTES_MAX)
                    .dfa_size_limit(pattern::CACHE_BYTES_MAX),
            )
            .should_validate_formats(false)
            .without_content_media_type_support("application/json")
            .without_content_encoding_support("base64")
            .with_keyword("uniqueItems", unique::keyword);
        let validator = options.build(&bare).map_err(|error| {
            let Violation { pointer, message } = Violation::of(&error, Shown::Values);
            format!("{}{}{message}", pointer, if pointer.is_empty() { "" } else { ": " })
        })?;
        Ok(Bounded { source, validator, cost })
    }

    /// As it was given.
    pub(super) fn source(&self) -> &JsonText {
        &self.source
    }

    pub(super) fn check_text(&self, text: &JsonText) -> Result<(), Vec<Violation>> {
        let opens = |byte: &u8| matches!(byte, b',' | b':' | b'[' | b'{');
        if text.as_str().bytes().filter(|byte| opens(byte)).count() > VALUES_MAX {
            let why = format!("has more than {VALUES_MAX} values, too many to be checked against a schema");
            return Err(vec![Violation::of_all(why)]);
        }
        // What other programs wrote into the database may be nested without end.
        let value = serde_json::from_str(text.as_str());
        let value: Value = value.map_err(|error| vec![Violation::of_all(error.to_string())])?;
        self.check(&value, Shown::Values)
    }

    pub(super) fn check(&self, value: &Value, shown: Shown) -> Result<(), Vec<Violation>> {
        let steps = self.cost.steps(value);
        if steps > STEPS_MAX {
            let why = "is too large for so costly a schema: make it smaller, or simplify the schema";
            return Err(vec![Violation::of_all(why)]);
        }
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let pointers = steps.saturating_mul(cost::longest_pointer(value) as u64);
        if steps <= LISTED_STEPS_MAX && pointers <= LISTED_BYTES_MAX {
            let errors = self.validator.iter_errors(value).take(VIOLATIONS_MAX);
            return Err(errors.map(|error| Violation::of(&error, shown)).collect());
        }
        // A list of all could be longer than the value; alternatives list what is wrong with each.
        let first = if self.cost.has_alternatives { None } else { self.validator.validate(value).err() };
        let first = first.map(|error| Violation::of(&error, shown));
        Err(vec![first.unwrap_or_else(|| Violation::of_all("does not fit, and is too large to say where"))])
    }
}

impl std::fmt::Debug for Bounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bounded").field(&self.source).finish()
    }
}

/// Stops where it is deep enough to know.
fn depth(value: &Value, above: usize) -> usize {
    if above > DEPTH_MAX {
        return above;
    }
    match value {
        Value::Array(items) => items.iter().map(|item| depth(item, above + 1)).max().unwrap_or(above + 1),
        Value::Object(fields) => {
            fields.values().map(|field| depth(field, above + 1)).max().unwrap_or(above + 1)
        }
        _ => above,
    }
}

/// Which dialect it is written in. Its own address goes, since references lead into it alone.
fn take_dialect(schema: &mut Value) -> Result<Draft, String> {
    let Value::Object(fields) = schema else { return Ok(Draft::Draft202012) };
    if fields.get("$id").is_some_and(Value::is_string) {
        fields.remove("$id");
    }
    let Some(dialect) = fields.remove("$schema") else { return Ok(Draft::Draft202012) };
    let dialect = dialect.as_str().unwrap_or_default().trim_end_matches('#');
    match dialect.split_once("://").map_or("", |(_, path)| path) {
        "json-schema.org/draft/2020-12/schema" => Ok(Draft::Draft202012),
        "json-schema.org/draft/2019-09/schema" => Ok(Draft::Draft201909),
        "json-schema.org/draft-07/schema" => Ok(Draft::Draft7),
        "json-schema.org/draft-06/schema" => Ok(Draft::Draft6),
        _ => {
            let shown: String = dialect.chars().filter(|c| !c.is_control()).take(100).collect();
            Err(format!(
                "`$schema` \"{shown}\" is unknown here; 2020-12, 2019-09, draft-07 and draft-06 are known"
            ))
        }
    }
}
