use serde_json::Value;

/// Keywords that change where references lead; each would have to be followed as the evaluator does.
const REFUSED: [&str; 7] =
    ["$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"];

/// Whether every reference of a schema is a pointer into itself, wherever it stands. Looks at whatever is written like
/// a keyword, also in values that are none, so that nothing depends on what counts as one.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                // A property of that name has a schema of its own.
                let is_keyword = !value.is_object();
                if is_keyword && REFUSED.contains(&key.as_str()) {
                    return Err(format!(
                        "`{key}` is not allowed inside a schema; refer to parts by #/$defs/NAME"
                    ));
                }
                if is_keyword && key == "$schema" {
                    return Err("`$schema` is allowed at the top alone".into());
                }
                if let ("$ref", Some(reference)) = (key.as_str(), value.as_str()) {
                    pointer(reference)?;
                }
                check(value)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(check),
        _ => Ok(()),
    }
}

/// The JSON Pointer of a reference, which must lead into the same schema.
pub(super) fn pointer(reference: &str) -> Result<&str, String> {
    let shown: String = reference.chars().filter(|c| !c.is_control()).take(100).collect();
    let pointer =
        reference.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
    match pointer {
        Some(pointer) if pointer.contains('%') => {
            Err(format!("`$ref` \"{shown}\": write it without % escapes"))
        }
        Some(pointer) => Ok(pointer),
        None => Err(format!(
            "`$ref` \"{shown}\" leads out of the schema, and nothing is fetched; write #/$defs/NAME and put \
             the part there"
        )),
    }
}
