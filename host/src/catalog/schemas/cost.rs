//! How much work a schema can make of a value, told from the schema alone and with all references unrolled.

use super::{pattern, reference};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// So many parts, with all references unrolled.
const PARTS_MAX: u64 = 2000;
/// How deep parts may lie within parts, references included: the evaluator recurses so deep.
const NESTED_MAX: usize = 64;
/// All patterns, with all references unrolled, in places and ranges of characters.
const PATTERNS_SIZE_MAX: u64 = 20_000;
/// What a pattern costs beside that, since each has memory of its own.
const PATTERN_SIZE: u64 = 100;
/// Of one `enum`.
const ENUM_VALUES_MAX: usize = 1000;
/// Texts are compared many bytes at a time.
const ENUM_VALUES_PER_STEP: u64 = 64;
/// Of `multipleOf`, where it is no whole number: beyond, numbers of a thousand digits would be divided.
const MULTIPLE_MIN: f64 = 1e-9;
/// What dividing decimal fractions costs, in steps: some microseconds where the number has hundreds of digits.
const DIVISION_STEPS: u64 = 400;

/// What evaluating a schema costs at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Steps for one value of what is checked.
    per_value: u64,
    /// Steps for one byte of its texts and keys.
    per_byte: u64,
    /// Whether an error lists what is wrong with each of several alternatives.
    pub(super) has_alternatives: bool,
}

impl Cost {
    /// What checking this value takes at most.
    pub(super) fn steps(&self, value: &Value) -> u64 {
        let (values, bytes) = extent(value);
        let by_bytes = bytes.saturating_mul(self.per_byte);
        values.saturating_mul(self.per_value).saturating_add(by_bytes)
    }
}

/// How many values, and how many bytes of texts and keys.
fn extent(value: &Value) -> (u64, u64) {
    let add = |(values, bytes): (u64, u64), (more, longer): (u64, u64)| (values + more, bytes + longer);
    match value {
        Value::String(text) => (1, text.len() as u64),
        Value::Array(items) => items.iter().map(extent).fold((1, 0), add),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| add(extent(value), (1, key.len() as u64));
            fields.iter().map(field).fold((1, 0), add)
        }
        _ => (1, 0),
    }
}

/// The most bytes that a pointer to one of its values has, about.
pub(super) fn longest_pointer(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(|item| longest_pointer(item) + 8).max().unwrap_or(0),
        Value::Object(fields) => {
            let lengths = fields.iter().map(|(key, value)| longest_pointer(value) + key.len() + 1);
            lengths.max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// The cost of a schema, or why it is refused.
pub(super) fn of(schema: &Value) -> Result<Cost, String> {
    let mut walk = Walk { root: schema, known: HashMap::new(), above: Vec::new(), has_alternatives: false };
    let profile = walk.part(schema)?;
    if profile.patterns_size > PATTERNS_SIZE_MAX {
        return Err("has patterns that are too large together; shorten them, or their repetitions".into());
    }
    let most = |levels: &[u64]| levels.iter().copied().max().unwrap_or(0);
    Ok(Cost {
        per_value: most(&profile.values).saturating_add(profile.everywhere),
        per_byte: most(&profile.bytes).saturating_add(profile.everywhere),
        has_alternatives: walk.has_alternatives,
    })
}

/// What a part can make of the value it is applied to, and of those within it, by their depth within it.
#[derive(Debug, Clone, Default)]
struct Profile {
    parts: u64,
    patterns_size: u64,
    /// Steps for each value of a depth.
    values: Vec<u64>,
    /// Steps for each byte of a depth.
    bytes: Vec<u64>,
    /// Steps for every value and byte, however deep.
    everywhere: u64,
}

impl Profile {
    /// Both are applied, this one to values that lie `deeper` by so much.
    fn add(&mut self, other: &Profile, deeper: usize) {
        self.count(other);
        join(&mut self.values, &other.values, deeper, u64::saturating_add);
        join(&mut self.bytes, &other.bytes, deeper, u64::saturating_add);
    }

    /// Either is applied to a value, never both.
    fn or(&mut self, other: &Profile) {
        self.count(other);
        join(&mut self.values, &other.values, 0, u64::max);
        join(&mut self.bytes, &other.bytes, 0, u64::max);
    }

    fn count(&mut self, other: &Profile) {
        self.parts = self.parts.saturating_add(other.parts);
        self.patterns_size = self.patterns_size.saturating_add(other.patterns_size);
        self.everywhere = self.everywhere.saturating_add(other.everywhere);
    }

    fn own(&mut self, values: u64, bytes: u64) {
        join(&mut self.values, &[values], 0, u64::saturating_add);
        join(&mut self.bytes, &[bytes], 0, u64::saturating_add);
    }

    fn pattern(&mut self, text: &str) -> Result<(), String> {
        let cost = pattern::cost(text)?;
        let size = cost.size.saturating_add(PATTERN_SIZE);
        self.patterns_size = self.patterns_size.saturating_add(size);
        self.own(1, cost.places);
        Ok(())
    }
}

fn join(levels: &mut Vec<u64>, others: &[u64], deeper: usize, join: impl Fn(u64, u64) -> u64) {
    levels.resize(levels.len().max(others.len() + deeper), 0);
    for (level, other) in levels[deeper..].iter_mut().zip(others) {
        *level = join(*level, *other);
    }
}

struct Walk<'a> {
    root: &'a Value,
    /// By address: what references lead to is looked at once.
    known: HashMap<*const Value, Profile>,
    /// The parts within which this one lies.
    above: Vec<*const Value>,
    has_alternatives: bool,
}

impl<'a> Walk<'a> {
    fn part(&mut self, schema: &'a Value) -> Result<Profile, String> {
        let address = std::ptr::from_ref(schema);
        if let Some(profile) = self.known.get(&address) {
            return Ok(profile.clone());
        }
        if self.above.contains(&address) {
            return Err(
                "a `$ref` leads back to a part that it lies in: schemas that contain themselves are \
                        not supported here, since what they cost has no bound"
                    .into(),
            );
        }
        if self.above.len() >= NESTED_MAX {
            return Err(format!("has parts within parts deeper than {NESTED_MAX}, references included"));
        }
        self.above.push(address);
        let profile = match schema {
            Value::Object(keywords) => self.keywords(keywords)?,
            _ => Profile { parts: 1, values: vec![1], ..Profile::default() },
        };
        self.above.pop();
        if profile.parts > PARTS_MAX {
            return Err(format!("has more than {PARTS_MAX} parts when all references are unrolled"));
        }
        self.known.insert(address, profile.clone());
        Ok(profile)
    }

    fn keywords(&mut self, keywords: &'a Map<String, Value>) -> Result<Profile, String> {
        let mut profile = Profile { parts: 1, ..Profile::default() };
        profile.own(1 + keywords.len() as u64, 0);
        // Of an object's properties each has its own part, beside those that may hold for any.
        let mut one_property = Profile::default();
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "$ref" => {
                    let target = self.target(value)?;
                    profile.add(&self.part(target)?, 0);
                }
                "allOf" | "anyOf" | "oneOf" => {
                    self.has_alternatives |= keyword != "allOf";
                    self.each(value, |one| profile.add(one, 0))?;
                }
                "not" | "if" | "then" | "else" | "contentSchema" => profile.add(&self.part(value)?, 0),
                "dependentSchemas" | "dependencies" => {
                    // In older dialects lists of names stand here too.
                    let lists =
                        value.as_object().into_iter().flat_map(Map::values).filter(|one| one.is_array());
                    profile.own(lists.map(|names| extent(names).0).sum(), 0);
                    self.each(value, |one| profile.add(one, 0))?;
                }
                "properties" => {
                    profile.own(value.as_object().map_or(0, |all| all.len() as u64), 0);
                    self.each(value, |one| one_property.or(one))?;
                }
                "patternProperties" => {
                    for pattern in value.as_object().into_iter().flat_map(Map::keys) {
                        profile.pattern(pattern)?;
                    }
                    self.each(value, |one| profile.add(one, 1))?;
                }
                "items" | "prefixItems" if value.is_array() => self.each(value, |one| profile.add(one, 1))?,
                "items" | "additionalItems" | "contains" | "additionalProperties" | "propertyNames" => {
                    let names = keywords.get("properties").and_then(Value::as_object);
                    join(&mut profile.values, &[names.map_or(0, |names| names.len() as u64)], 1, u64::max);
                    profile.add(&self.part(value)?, 1);
                }
                "unevaluatedItems" | "unevaluatedProperties" => {
                    return Err(format!(
                        "`{keyword}` is not supported here, since its cost has no bound; use additional…, or \
                         list what may be there"
                    ));
                }
                _ => leaf(&mut profile, keyword, value)?,
            }
        }
        profile.add(&one_property, 1);
        Ok(profile)
    }

    /// All parts in an array or an object. What is no schema there costs nothing.
    fn each(&mut self, value: &'a Value, mut of: impl FnMut(&Profile)) -> Result<(), String> {
        let parts: Vec<&Value> = match value {
            Value::Array(parts) => parts.iter().collect(),
            Value::Object(parts) => parts.values().collect(),
            _ => Vec::new(),
        };
        for part in parts {
            of(&self.part(part)?);
        }
        Ok(())
    }

    fn target(&self, reference: &'a Value) -> Result<&'a Value, String> {
        let text = reference.as_str().ok_or("`$ref` must be a text")?;
        let pointer = reference::pointer(text)?;
        let missing = || {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
            format!("`$ref` \"{shown}\" leads to nothing")
        };
        self.root.pointer(pointer).ok_or_else(missing)
    }
}

/// A keyword without parts.
fn leaf(profile: &mut Profile, keyword: &str, value: &Value) -> Result<(), String> {
    match keyword {
        "pattern" => profile.pattern(value.as_str().unwrap_or_default())?,
        "minLength" | "maxLength" => profile.own(1, 1),
        // Its items are written out and sorted, those within them again.
        "uniqueItems" => profile.everywhere = profile.everywhere.saturating_add(20),
        "multipleOf" => {
            let divisor = value.as_f64().unwrap_or(0.0);
            if divisor.fract() != 0.0 && divisor < MULTIPLE_MIN {
                return Err(format!("`multipleOf` must be at least {MULTIPLE_MIN}"));
            }
            profile.own(if divisor.fract() == 0.0 { 1 } else { DIVISION_STEPS }, 0);
        }
        "enum" => {
            let length = value.as_array().map_or(0, Vec::len);
            if length > ENUM_VALUES_MAX {
                return Err(format!("an `enum` has {length} values, over the limit of {ENUM_VALUES_MAX}"));
            }
            profile.own(extent(value).0, 1 + length as u64 / ENUM_VALUES_PER_STEP);
        }
        "const" | "required" | "dependentRequired" | "type" => profile.own(extent(value).0, 1),
        _ => {}
    }
    Ok(())
}
