//! JSON that is written in TOML, and JSON that is compared.

use flowmonkey_jobs::job::JsonText;
use serde_json::{Map, Number, Value};

/// Dates become texts, since JSON has none.
pub(super) fn of_toml(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => {
            Number::from_f64(number).map(Value::Number).ok_or(format!("{number} is no number in JSON"))?
        }
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Array(values) => values.into_iter().map(of_toml).collect::<Result<_, _>>()?,
        toml::Value::Table(table) => {
            let one = |(key, value)| Ok((key, of_toml(value)?));
            Value::Object(table.into_iter().map(one).collect::<Result<Map<_, _>, String>>()?)
        }
    })
}

/// As the host would take it.
pub(super) fn text(value: &Value) -> Result<JsonText, String> {
    JsonText::parse(&value.to_string()).map_err(|error| error.to_string())
}

/// What a text says. It was checked to be JSON; the one that is nested as deep as may be, a level beyond what the
/// parser takes, stays a text, so that it is shown and not taken for `null`.
pub(super) fn value(text: &JsonText) -> Value {
    serde_json::from_str(text.as_str()).unwrap_or_else(|_| Value::String(text.as_str().to_owned()))
}

/// Where two values begin to differ, as a JSON Pointer; `None` if they are the same. `1` and `1.0` are.
pub(super) fn difference(expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let keys = expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key)));
            keys.into_iter().find_map(|key| below(key, expected.get(key), found.get(key)))
        }
        (Value::Array(expected), Value::Array(found)) => (0..expected.len().max(found.len()))
            .find_map(|at| below(&at.to_string(), expected.get(at), found.get(at))),
        (Value::Number(expected), Value::Number(found)) => (!same_number(expected, found)).then(String::new),
        _ => (expected != found).then(String::new),
    }
}

/// Whole numbers are compared as such: as doubles some that differ would be the same.
fn same_number(one: &Number, other: &Number) -> bool {
    let is_whole = |number: &Number| number.is_i64() || number.is_u64();
    one == other || !(is_whole(one) && is_whole(other)) && one.as_f64() == other.as_f64()
}

fn below(key: &str, expected: Option<&Value>, found: Option<&Value>) -> Option<String> {
    let place = || format!("/{}", key.replace('~', "~0").replace('/', "~1"));
    match (expected, found) {
        (Some(expected), Some(found)) => difference(expected, found).map(|rest| place() + &rest),
        _ => Some(place()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowmonkey_jobs::job::JSON_DEPTH_MAX;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_found_and_numbers_count_by_value() {
        for (expected, found, place) in [
            (json!({"a": 1, "b": [1, 2.0]}), json!({"b": [1.0, 2], "a": 1}), None),
            (json!(1e3), json!(1000), None),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), Some("")),
            (json!({"a": {"b": [1, {"c": 2}]}}), json!({"a": {"b": [1, {"c": 3}]}}), Some("/a/b/1/c")),
            (json!({"a": 1}), json!({"a": 1, "x/y~z": 2}), Some("/x~1y~0z")),
            (json!({"a": null}), json!({}), Some("/a")),
            (json!([1]), json!([1, 2]), Some("/1")),
            (json!("1"), json!(1), Some("")),
        ] {
            assert_eq!(difference(&expected, &found).as_deref(), place, "{expected} {found}");
        }
    }

    #[test]
    fn nothing_that_is_there_becomes_null() {
        let nested = |levels| JsonText::parse(&("[".repeat(levels) + &"]".repeat(levels))).unwrap();
        assert!(value(&nested(JSON_DEPTH_MAX - 1)).is_array());
        let deepest = nested(JSON_DEPTH_MAX);
        assert_eq!(difference(&Value::Null, &value(&deepest)).as_deref(), Some(""));
        assert_eq!(value(&deepest), json!(deepest.as_str()));
    }

    #[test]
    fn what_toml_has_and_json_has_not_becomes_a_text_or_an_error() {
        let table: toml::Table =
            toml::from_str("a = 2027-01-31T09:00:00Z\nb = [1, 2.5, true, 'x']\nc.d = {}").unwrap();
        let expected = json!({"a": "2027-01-31T09:00:00Z", "b": [1, 2.5, true, "x"], "c": {"d": {}}});
        assert_eq!(of_toml(table.into()), Ok(expected));
        let error = of_toml(toml::Value::Float(f64::NAN)).unwrap_err();
        assert!(error.contains("no number in JSON"), "{error}");
    }
}
