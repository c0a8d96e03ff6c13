//! What the operator has set.

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wasi:config@0.2.0-rc.1;
            interface store {
                variant error { upstream(string), io(string) }
                get: func(key: string) -> result<option<string>, error>;
                get-all: func() -> result<list<tuple<string, string>>, error>;
            }
            world reads { import store; }
        ",
    });
}

use bindings::wasi::config::store;
use serde_json::{Value, json};

/// The value under each key, and everything there is. With `"spell": true` letter by letter, so that a secret can
/// be looked at in a test.
pub(crate) fn read(keys: &Value, spell: bool) -> Value {
    let shown = |text: String| match spell {
        true => json!(text.chars().map(String::from).collect::<Vec<_>>()),
        false => json!(text),
    };
    let told = |result: Result<Option<String>, store::Error>| match result {
        Ok(value) => value.map(shown).unwrap_or(Value::Null),
        Err(error) => json!({"error": format!("{error:?}")}),
    };
    let values: Vec<Value> =
        keys.as_array().unwrap().iter().map(|key| told(store::get(key.as_str().unwrap()))).collect();
    let all: Vec<String> = store::get_all().unwrap().into_iter().map(|(key, _)| key).collect();
    json!({"values": values, "all": all})
}

/// The value under a key, for those who give it away.
pub(crate) fn value(key: &str) -> String {
    store::get(key).unwrap().unwrap()
}
