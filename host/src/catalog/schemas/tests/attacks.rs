//! What a handler that means ill writes into a schema, and what a payload that means ill is made of.

use super::{of_input, text};
use crate::job::JsonText;
use serde_json::{Value, json};

fn refused(schema: &Value, part: &str) {
    let error = of_input(schema).map(|_| ()).unwrap_err();
    let shown: String = schema.to_string().chars().take(200).collect();
    assert!(error.contains(part) && error.len() < 600, "{shown}: {error}");
}

/// `$defs` of which each refers to the one below it so often.
fn tower(levels: usize, width: usize, combine: &str) -> Value {
    let mut defs = serde_json::Map::new();
    defs.insert("d0".into(), json!({"type": "string"}));
    for level in 1..=levels {
        let below = json!({"$ref": format!("#/$defs/d{}", level - 1)});
        defs.insert(format!("d{level}"), json!({combine: vec![below; width]}));
    }
    json!({"$ref": format!("#/$defs/d{levels}"), "$defs": defs})
}

#[test]
fn references_that_multiply_are_refused() {
    for combine in ["allOf", "anyOf", "oneOf"] {
        refused(&tower(30, 2, combine), "more than 2000 parts");
        refused(&tower(6, 10, combine), "more than 2000 parts");
        assert!(of_input(&tower(8, 2, combine)).is_ok(), "{combine}: 511 and as many references");
    }
    let flat = json!({"$defs": {"a": {"type": "string"}}, "allOf": vec![json!({"$ref": "#/$defs/a"}); 2000]});
    refused(&flat, "more than 2000 parts");
    // Long chains are deep, however few their parts.
    refused(&tower(100, 1, "allOf"), "deeper than 64");
    refused(&tower(5000, 1, "allOf"), "deeper than 64");
}

#[test]
fn references_that_come_back_are_refused() {
    let table = [
        json!({"$ref": "#"}),
        json!({"properties": {"child": {"$ref": "#"}}}),
        json!({"items": {"$ref": "#/items"}}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        json!({"$defs": {"tree": {"properties": {"left": {"$ref": "#/$defs/tree"}}}}, "$ref": "#/$defs/tree"}),
        json!({"not": {"$ref": "#"}}),
    ];
    for schema in table {
        refused(&schema, "leads back to a part that it lies in");
    }
}

#[test]
fn references_elsewhere_are_refused_and_nothing_is_fetched() {
    let long = "x".repeat(100_000);
    for reference in [
        "https://example.com/schema.json",
        "file:///etc/passwd",
        "other.json",
        "other.json#/a",
        "#anchor",
        "",
        "//example.com",
        "https://json-schema.org/draft/2020-12/schema",
        &long,
    ] {
        refused(&json!({"$ref": reference}), "leads out of the schema");
        refused(&json!({"$defs": {"unused": {"items": {"$ref": reference}}}}), "leads out of the schema");
    }
    refused(&json!({"$ref": "#/$defs/%61", "$defs": {"a": true}}), "without % escapes");
    for keyword in [
        "$id",
        "$anchor",
        "$dynamicAnchor",
        "$dynamicRef",
        "$recursiveRef",
        "$recursiveAnchor",
        "$vocabulary",
    ] {
        refused(&json!({"properties": {"a": {keyword: "#x"}}}), keyword);
        refused(&json!({"$defs": {"a": {keyword: true}}}), keyword);
        if keyword != "$id" {
            refused(&json!({keyword: "#x"}), keyword);
        }
    }
    refused(&json!({"items": {"$schema": "http://json-schema.org/draft-07/schema#"}}), "at the top alone");
    // Of that name there may be properties.
    assert!(
        of_input(&json!({"properties": {"$id": {"type": "string"}, "$ref": {"type": "string"}}})).is_ok()
    );
}

#[test]
fn size_and_depth_are_bounded() {
    let deep = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({"not": inner}));
    refused(&deep(64), "nested deeper than 64");
    refused(&deep(1000), "nested deeper than 64");
    assert!(of_input(&deep(60)).is_ok());
    let large = json!({"description": "x".repeat(256 * 1024)});
    refused(&large, "over the limit of 262144");
    refused(&json!({"description": "\u{0}"}), "NUL");
    refused(&json!({"enum": (0..40_000).collect::<Vec<_>>()}), "an `enum` has 40000 values");
    let wide: serde_json::Map<String, Value> = (0..5000).map(|n| (format!("p{n}"), json!({}))).collect();
    refused(&json!({"properties": wide}), "more than 2000 parts");
}

#[test]
fn patterns_that_take_more_than_linear_time_or_much_memory_are_refused() {
    for pattern in ["(?=a)b", "(?<!a)b", "(a)\\1", "(", "a{1,", "[z-a]", "(?<n>a)\\k<n>"] {
        for schema in [json!({"pattern": pattern}), json!({"patternProperties": {pattern: {}}})] {
            let error = of_input(&schema).map(|_| ());
            assert!(error.is_err() || pattern == "a{1,", "{pattern}");
        }
    }
    refused(&json!({"pattern": "(?=a)b"}), "cannot be matched in linear time");
    refused(&json!({"pattern": "((a{100}){100}){100}"}), "too large");
    refused(&json!({"pattern": "(\\p{L}{100}){100}"}), "too large");
    refused(&json!({"pattern": "a".repeat(2000)}), "over the limit of 1000");
    refused(&json!({"pattern": "\\cA".repeat(50_000)}), "over the limit of 1000");
    let many = |count: usize| {
        let one = |n: usize| (format!("p{n}"), json!({"pattern": format!("^{n}(x|y)*[ab]{{5}}$")}));
        json!({"properties": (0..count).map(one).collect::<serde_json::Map<_, _>>()})
    };
    refused(&many(500), "too large together");
    assert!(of_input(&many(100)).is_ok());
    for fine in
        ["^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$", "^\\d{4}-\\d{2}-\\d{2}$", "\\/api\\/v[0-9]+", "^\\p{L}+$", "[[]"]
    {
        assert!(of_input(&json!({"pattern": fine})).is_ok(), "{fine}");
    }
}

#[test]
fn keywords_without_a_bound_are_refused() {
    refused(&json!({"unevaluatedProperties": false}), "`unevaluatedProperties` is not supported");
    refused(&json!({"allOf": [{"unevaluatedItems": false}]}), "`unevaluatedItems` is not supported");
    refused(&json!({"multipleOf": 1e-300}), "`multipleOf` must be at least");
}

/// A pattern that makes a backtracking engine take for ever, on the text that does it.
#[test]
fn a_regex_bomb_is_matched_in_linear_time() {
    let schemas = of_input(&json!({"pattern": "^(a+)+$"})).unwrap();
    let bomb = format!("{}!", "a".repeat(500_000));
    assert_eq!(schemas.check_input(&text(&json!(bomb))).unwrap_err().len(), 1);
}

/// Two `a` so far apart that do not occur: the engine must remember each of the last places, and no table of its
/// states is large enough.
#[test]
fn a_pattern_that_defeats_the_engines_tables_is_bounded_by_the_text() {
    let gap = 461;
    let (mut texts, mut seed) = (Vec::new(), 1u64);
    for at in 0..400_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let is_free = at < gap || texts[at - gap] == b'b';
        texts.push(if is_free && seed >> 63 == 1 { b'a' } else { b'b' });
    }
    let long = String::from_utf8(texts).unwrap();
    let schemas = of_input(&json!({"pattern": "a[ab]{460}a"})).unwrap();
    let message = |input: &str| schemas.check_input(&text(&json!(input))).unwrap_err()[0].message.clone();
    assert!(message(&long).contains("is too large for so costly a schema"));
    assert!(message(&long[..50_000]).contains("does not match"));
}

/// What schema and value cost together is known before it is spent.
#[test]
fn a_value_that_would_cost_too_much_is_refused_unchecked() {
    let numbers = |count: usize| Value::from(vec![1; count]);
    let too_large = |schema: Value, value: Value| {
        let violations = of_input(&schema).unwrap().check_input(&text(&value)).unwrap_err();
        assert!(violations[0].message.starts_with("is too large for so costly a schema"), "{violations:?}");
    };
    let alternatives = json!({"items": {"anyOf": vec![json!({"type": "string"}); 1900]}});
    too_large(alternatives, numbers(300_000));
    let names: Vec<String> = (0..30_000).map(|n| format!("n{n}")).collect();
    let object = json!({});
    too_large(json!({"items": {"required": names}}), Value::from(vec![object.clone(); 100_000]));
    too_large(
        json!({"items": {"dependencies": {"a": names}}, "$schema": "http://json-schema.org/draft-07/schema#"}),
        Value::from(vec![object; 100_000]),
    );
    too_large(json!({"items": {"enum": (0..900).collect::<Vec<_>>()}}), numbers(300_000));
    too_large(json!({"pattern": "(?:[ab]*a[ab]{90}){9}c"}), json!("ab".repeat(500_000)));
    let schemas = of_input(&json!({})).unwrap();
    let commas = format!("[{}0]", "0,".repeat(1_100_000));
    let violations = schemas.check_input(&JsonText::parse_limited(&commas, 16 << 20).unwrap()).unwrap_err();
    assert!(violations[0].message.contains("more than 1000000 values"), "{violations:?}");
}

/// Arrays within arrays, all different and all with one hash in the evaluator's own `uniqueItems`.
#[test]
fn items_made_to_collide_are_told_apart() {
    fn trees(nodes: usize) -> Vec<Value> {
        if nodes == 1 {
            return vec![json!([])];
        }
        // The first child's size decides how the rest is shared out.
        let mut all = Vec::new();
        for first in 1..nodes {
            for child in trees(first) {
                for rest in trees(nodes - first) {
                    let mut items = vec![child.clone()];
                    items.extend(rest.as_array().unwrap().iter().cloned());
                    all.push(Value::from(items));
                }
            }
        }
        all
    }
    let input = Value::from(trees(11));
    assert!(input.as_array().unwrap().len() > 16_000);
    let schemas = of_input(&json!({"uniqueItems": true})).unwrap();
    assert_eq!(schemas.check_input(&text(&input)), Ok(()));
    // In our own words, so the evaluator's own was not asked.
    let twice = schemas.check_input(&text(&json!([[[]], [[]]]))).unwrap_err();
    assert_eq!(twice[0].message, "two items are the same");
}

/// One error a value, each with a pointer as long as the payload: the list is not even begun.
#[test]
fn errors_with_monstrous_pointers_are_not_listed() {
    let schemas = of_input(&json!({"additionalProperties": {"items": {"type": "string"}}})).unwrap();
    let input = json!({"k".repeat(500_000): vec![1; 20_000]});
    let violations = schemas.check_input(&text(&input)).unwrap_err();
    assert_eq!(violations.len(), 1);
    assert!(violations[0].pointer.len() <= 200, "{}", violations[0].pointer.len());
    let schemas =
        of_input(&json!({"additionalProperties": {"items": {"anyOf": [{"type": "string"}]}}})).unwrap();
    assert!(schemas.check_input(&text(&input)).unwrap_err()[0].message.contains("too large to say where"));
}

/// The database may hold what other programs put there.
#[test]
fn what_is_nested_without_end_is_a_violation() {
    let deep = JsonText::from_store("[".repeat(100_000) + &"]".repeat(100_000));
    let violations = of_input(&json!({})).unwrap().check_input(&deep).unwrap_err();
    assert!(violations[0].message.contains("recursion limit"), "{violations:?}");
}
