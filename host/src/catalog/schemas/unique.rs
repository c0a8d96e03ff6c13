use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value};

/// `uniqueItems` that cannot be made slow. The evaluator's own compares hashes, and arrays within arrays can be written
/// so that thousands of different ones have the same.
struct UniqueItems(bool);

type Made<'a> = Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>>;

/// For [`jsonschema::ValidationOptions::with_keyword`].
pub(super) fn keyword<'a>(_: &'a Map<String, Value>, value: &'a Value, _: Location) -> Made<'a> {
    Ok(Box::new(UniqueItems(value.as_bool().unwrap_or(false))))
}

impl<'i> Keyword<'i> for UniqueItems {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom("two items are the same")) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        let Value::Array(items) = instance else { return true };
        if !self.0 {
            return true;
        }
        // The same value is the same text: keys are in order, and numbers are made alike.
        let mut texts: Vec<String> = items.iter().map(|item| alike(item).to_string()).collect();
        texts.sort_unstable();
        texts.windows(2).all(|pair| pair[0] != pair[1])
    }
}

/// With 1.0 as 1, since these are the same number.
fn alike(value: &Value) -> Value {
    /// Up to here a double holds every whole number.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or(f64::NAN);
            let is_whole = float.fract() == 0.0 && float.abs() <= EXACT_MAX;
            if is_whole { Value::from(float as i64) } else { value.clone() }
        }
        Value::Array(items) => Value::Array(items.iter().map(alike).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), alike(value))).collect())
        }
        other => other.clone(),
    }
}
