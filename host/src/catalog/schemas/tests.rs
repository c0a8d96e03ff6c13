mod attacks;

use super::*;
use serde_json::json;

pub(super) fn of_input(schema: &Value) -> Result<Schemas, String> {
    Schemas::compile(Some(schema), None, None)
}

pub(super) fn text(value: &Value) -> JsonText {
    JsonText::parse_limited(&value.to_string(), 64 << 20).unwrap()
}

/// The pointers of what does not fit.
fn pointers(schema: &Value, input: &Value) -> Vec<String> {
    let violations = of_input(schema).unwrap().check_input(&text(input)).err().unwrap_or_default();
    violations.into_iter().map(|violation| violation.pointer).collect()
}

#[test]
fn each_keyword_is_checked_and_names_the_place() {
    let person = json!({"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 200, "multipleOf": 1},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": true, "maxItems": 3},
        "price": {"multipleOf": 0.01}, "kind": {"const": "person"},
        "home": {"$ref": "#/$defs/place"}, "work": {"anyOf": [{"$ref": "#/$defs/place"}, {"type": "null"}]}}
    , "$defs": {"place": {"type": "object", "required": ["street"]}}});
    let fine = json!({"name": "Ada", "age": 36, "tags": ["a", "b"], "price": 19.99, "kind": "person",
        "home": {"street": "x"}, "work": null});
    assert_eq!(pointers(&person, &fine), Vec::<String>::new());
    let table = [
        (json!({}), ""),
        (json!([]), ""),
        (json!({"name": "Ada", "x": 1}), ""),
        (json!({"name": ""}), "/name"),
        (json!({"name": "Adaada"}), "/name"),
        (json!({"name": "ada"}), "/name"),
        (json!({"name": "Ada", "age": -1}), "/age"),
        (json!({"name": "Ada", "age": 200}), "/age"),
        (json!({"name": "Ada", "age": 1.5}), "/age"),
        (json!({"name": "Ada", "tags": ["a", "c"]}), "/tags/1"),
        (json!({"name": "Ada", "tags": ["a", "a"]}), "/tags"),
        (json!({"name": "Ada", "price": 0.001}), "/price"),
        (json!({"name": "Ada", "kind": 1}), "/kind"),
        (json!({"name": "Ada", "home": {}}), "/home"),
        (json!({"name": "Ada", "work": {}}), "/work"),
    ];
    for (input, pointer) in table {
        let found = pointers(&person, &input);
        assert!(found.iter().any(|found| found == pointer), "{input}: {found:?}");
    }
}

#[test]
fn the_same_items_are_the_same_however_they_are_written() {
    let unique = json!({"uniqueItems": true});
    for same in [
        "[1, 1.0]",
        "[{\"a\": 1, \"b\": [2]}, {\"b\": [2.0], \"a\": 1}]",
        "[[], [1], []]",
        "[0.5, 5e-1]",
        "[0, -0.0]",
    ] {
        let schemas = of_input(&unique).unwrap();
        assert!(schemas.check_input(&JsonText::parse(same).unwrap()).is_err(), "{same}");
    }
    for different in [
        "[1, \"1\"]",
        "[[1], [[1]]]",
        "[1.5, 1.25]",
        "[9007199254740993, 9007199254740992]",
        "[null, false, 0, \"\"]",
    ] {
        let schemas = of_input(&unique).unwrap();
        assert_eq!(schemas.check_input(&JsonText::parse(different).unwrap()), Ok(()), "{different}");
    }
    assert_eq!(pointers(&json!({"uniqueItems": false}), &json!([1, 1])), Vec::<String>::new());
}

#[test]
fn the_dialects_that_generators_write_are_known() {
    let schema = |dialect: &str, rest: Value| {
        let mut schema = json!({"$schema": dialect, "$id": "https://example.com/mail.json"});
        schema.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        schema
    };
    let pair = |keyword: &str| json!({keyword: [{"type": "string"}, {"type": "number"}]});
    let table = [
        ("https://json-schema.org/draft/2020-12/schema", pair("prefixItems")),
        ("https://json-schema.org/draft/2019-09/schema#", pair("items")),
        ("http://json-schema.org/draft-07/schema#", pair("items")),
        ("http://json-schema.org/draft-06/schema", pair("items")),
    ];
    for (dialect, rest) in table {
        let schema = schema(dialect, rest);
        assert_eq!(pointers(&schema, &json!(["a", "b"])), ["/1"], "{dialect}");
        let stored = of_input(&schema).unwrap().to_json().unwrap();
        let back: Value = serde_json::from_str(stored.as_str()).unwrap();
        assert_eq!(back, json!({"input": schema}), "as it was given");
    }
    for dialect in ["http://json-schema.org/draft-04/schema#", "https://example.com/mine", "", "x://y"] {
        let error = of_input(&schema(dialect, json!({}))).unwrap_err();
        assert!(error.contains("is unknown here") && error.contains("draft-07"), "{error}");
    }
}

#[test]
fn what_is_no_schema_is_refused_with_the_place() {
    let table = [
        (json!({"type": "strnig"}), "/type"),
        (json!({"properties": {"a": {"minLength": -1}}}), "/properties/a/minLength"),
        (json!({"required": "name"}), "/required"),
        (json!({"allOf": []}), "/allOf"),
        (json!(5), "5"),
        (json!({"$ref": "#/$defs/none"}), "leads to nothing"),
        (json!({"$ref": 5}), "must be a text"),
    ];
    for (schema, part) in table {
        let error = of_input(&schema).unwrap_err();
        assert!(error.starts_with("the input schema: ") && error.contains(part), "{schema}: {error}");
    }
    assert!(of_input(&json!(true)).is_ok());
    assert_eq!(pointers(&json!(false), &json!(1)), [""]);
}

#[test]
fn what_is_stored_comes_back_the_same() {
    let (input, output, config) =
        (json!({"type": "string"}), json!({"type": "number"}), json!({"required": ["region"]}));
    let schemas = Schemas::compile(Some(&input), Some(&output), Some(&config)).unwrap();
    let stored = schemas.to_json().unwrap();
    assert_eq!(stored, Schemas::from_json(&stored).unwrap().to_json().unwrap());
    let back = Schemas::from_json(&stored).unwrap();
    assert!(back.check_input(&text(&json!(1))).is_err() && back.check_output(&text(&json!("1"))).is_err());
    assert!(back.check_config(&BTreeMap::new()).is_err());
    assert_eq!(Schemas::default().to_json(), None);
    let only = Schemas::from_json(&text(&json!({"output": output, "later": 1}))).unwrap();
    assert!((only.has_output() && !only.has_input()) && only.check_input(&text(&json!(1))).is_ok());
    assert!(Schemas::from_json(&text(&json!([]))).is_err());
}

#[test]
fn an_error_names_the_first_places_and_lists_more() {
    let schemas = of_input(&json!({"items": {"type": "string"}})).unwrap();
    let input = text(&Value::from((0..100).collect::<Vec<u32>>()));
    assert_eq!(schemas.check_input(&input).unwrap_err().len(), 20);
    let error = schemas.input_error(&input).unwrap();
    assert_eq!(error.code, "INVALID_INPUT");
    assert!(error.message.contains("/0: 0 is not of type \"string\"; /1: "), "{error}");
    assert!(error.message.ends_with("; and 17 more"), "{error}");
    let details: Vec<Value> = serde_json::from_str(error.details.unwrap().as_str()).unwrap();
    assert_eq!((details.len(), &details[19]["pointer"]), (20, &json!("/19")));
    assert_eq!(schemas.input_error(&text(&json!(["a"]))), None);
    let result = Schemas::compile(None, Some(&json!({"type": "string"})), None).unwrap();
    assert_eq!(result.output_error(&text(&json!(null))).unwrap().code, "INVALID_OUTPUT");
}

/// Keys and values may be as long and as odd as they like.
#[test]
fn what_is_told_is_short_and_harmless() {
    let schemas = of_input(&json!({"additionalProperties": {"enum": ["a"]}, "maxProperties": 1})).unwrap();
    let input = json!({"\u{1b}[2J".repeat(9000): "\u{1b}[2J".repeat(3), "k\n".repeat(9000): "\u{1}", "b": "v".repeat(9000)});
    let error = schemas.input_error(&text(&input)).unwrap();
    for violation in schemas.check_input(&text(&input)).unwrap_err() {
        assert!(violation.pointer.len() <= 200 && violation.message.len() <= 200, "{violation:?}");
        assert!(
            !violation.pointer.contains('\u{1b}') && !violation.message.contains('\u{1b}'),
            "{violation:?}"
        );
    }
    assert!(error.message.len() < 2000 && !error.message.contains(&"v".repeat(100)), "{error}");
    assert!(error.details.unwrap().as_str().len() <= 16 * 1024);
}

#[test]
fn no_value_of_the_configuration_is_ever_shown() {
    let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let string = |rest: Value| {
        let mut schema = json!({"type": "string"});
        schema.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        schema
    };
    let schema = json!({"required": ["region", "key", "more"], "properties": {
        "region": string(json!({"enum": ["eu", "us"]})), "key": string(json!({"pattern": "^sk-"})),
        "pin": string(json!({"minLength": 20})), "not": {"not": {"type": "string"}}, "is": {"const": "x"},
        "number": {"type": "integer"}, "any": {"anyOf": [{"const": "a"}, {"maxLength": 1}]},
        "one": {"oneOf": [{"minLength": 1}, {"maxLength": 100}]}}});
    let schemas = Schemas::compile(None, None, Some(&schema)).unwrap();
    let secret = "t0ps3cret";
    let keys = ["region", "key", "pin", "not", "is", "number", "any", "one"];
    let config = texts(&keys.map(|key| (key, secret)));
    let violations = schemas.check_config(&config).unwrap_err();
    let shown = format!("{violations:?}");
    assert!(violations.len() >= 9 && !shown.contains(secret), "{shown}");
    assert!(
        keys.iter().all(|key| shown.contains(&format!("\"/{key}\""))) && shown.contains("more"),
        "{shown}"
    );
    let fine = texts(&[("region", "eu"), ("key", "sk-1"), ("more", "")]);
    assert_eq!(schemas.check_config(&fine), Ok(()));
}
