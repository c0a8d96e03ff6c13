//! `handler.toml` for editors and people: its JSON Schema and its page say what the code reads.

use crate::tree;
use flowmonkey_jobs::catalog::{Manifest, manifest_schema};
use serde_json::Value;

/// Set, the schema is written anew instead of compared.
const RENEW: &str = "FLOWMONKEY_RENEW_SNAPSHOTS";
const SCHEMA: &str = "host/handler.schema.json";

#[test]
fn the_schema_is_what_the_code_generates() {
    let path = tree::root().join(SCHEMA);
    let now = serde_json::to_string_pretty(&manifest_schema()).unwrap() + "\n";
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&path, now).unwrap();
        return;
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        now == before,
        "{SCHEMA} is not what the code generates; if that is meant, run \
         `{RENEW}=1 cargo xtask test -p flowmonkey-tests --test layout -- schema` and commit what it wrote"
    );
}

/// Each key with its table (empty at the top) and its schema.
fn keys() -> Vec<(String, String, Value)> {
    fn of(table: &str, schema: &Value, found: &mut Vec<(String, String, Value)>) {
        assert_eq!(schema["additionalProperties"], Value::Bool(false), "[{table}] must refuse unknown keys");
        for (key, schema) in schema["properties"].as_object().unwrap() {
            if schema["type"] == "object" {
                of(key, schema, found);
            } else {
                found.push((table.to_owned(), key.clone(), schema.clone()));
            }
        }
    }
    let mut found = Vec::new();
    of("", &manifest_schema(), &mut found);
    found
}

#[test]
fn every_key_has_a_meaning_and_a_default_and_is_in_its_page() {
    let page = std::fs::read_to_string(tree::root().join("host/HANDLER.md")).unwrap();
    let all = keys();
    assert!(all.len() >= 50, "{}", all.len());
    for (table, key, schema) in all {
        assert!(schema["description"].as_str().is_some_and(|text| text.len() > 10), "{key}: {schema}");
        let default = schema.get("default").or_else(|| schema.get("x-default"));
        let default = match default.unwrap_or_else(|| panic!("{key} has no default")) {
            Value::String(text) if text.is_empty() => "none".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let row = page.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let row = row.unwrap_or_else(|| panic!("host/HANDLER.md has no row for `{key}` of [{table}]"));
        assert!(row.contains(&format!(" {default} ")), "the default of `{key}` is {default}: {row}");
        if let Some(ceiling) = schema["x-ceiling"].as_str() {
            assert!(row.ends_with(&format!(" {ceiling} |")), "the ceiling of `{key}` is {ceiling}: {row}");
        }
    }
}

/// What serde knows of a table, from the list in its error.
fn known(table: &str) -> Vec<String> {
    let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
    let error = Manifest::parse(&format!("{header}zzzzzzzzzzzzzzzzzzzzzz = 1")).unwrap_err();
    let (_, list) = error.split_once("expected one of").unwrap_or_else(|| panic!("{error}"));
    let mut keys: Vec<String> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    keys.sort();
    keys
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    for table in ["", "limits", "retry", "grants"] {
        let mut schema = &manifest_schema();
        if !table.is_empty() {
            schema = &schema["properties"][table];
        }
        let keys: Vec<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, known(table), "[{table}]");
    }
}

/// An editor says of a manifest what the program says.
#[test]
fn the_schema_and_the_program_agree() {
    let validator = jsonschema::validator_for(&manifest_schema()).unwrap();
    let fits = |text: &str| {
        let value: toml::Table = toml::from_str(text).unwrap();
        validator.is_valid(&serde_json::to_value(value).unwrap())
    };
    let mut right: Vec<String> = [
        "",
        "name = 'mail'\nversion = '1.0'\ndescription = ''\ncomponent = './a/b.wasm'\nconcurrency = 1",
        "fleet-concurrency = 4294967295\nwaits-max = 0\nvalidate-output = true\ninput-schema = '..x'",
        "output-schema = 'a..b'\nconfig-schema = '.hidden'\ncomponent = 'x'",
        "[limits]\nfuel = 'unlimited'\ntimeout = '1h 30m'\nmemory = '1048576'\nlog-lines = 0\nstack = '1.5 MiB'",
        "[limits]\nfuel = '1_000_000'\nheartbeat-timeout = '500ms'\nhttp-request-bytes = '1GB'",
        "[retry]\nbase = '2s'\nfactor = 1\ncap = '10m'",
        "[retry]\nfactor = 2.5",
        "[grants]\ncontext = true\nidempotency = false\nqueue = ['a']\nhttp = ['*.example.com']\nconfig = []",
    ]
    .map(str::to_owned)
    .into();
    // Those that are shipped, and the one in the README.
    let shipped = tree::files().into_iter().filter(|(path, _)| path.ends_with("handler.toml"));
    right.extend(shipped.map(|(_, text)| text));
    let readme = std::fs::read_to_string(tree::root().join("README.md")).unwrap();
    right.extend(readme.split("```toml\n").skip(1).filter_map(|rest| {
        let example = rest.split("```").next().unwrap();
        example.starts_with("name = ").then(|| example.to_owned())
    }));
    for text in right {
        Manifest::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(fits(&text), "{text}");
    }
    let wrong = [
        "concurency = 2",
        "concurrency = 0",
        "concurrency = '2'",
        "fleet-concurrency = 0",
        "waits-max = -1",
        "name = ''",
        "name = 5",
        "version = \"a\\nb\"",
        "component = '../x'",
        "component = '/x'",
        "component = 'a/../b'",
        "input-schema = ''",
        "output-schema = '..'",
        "validate-output = 'yes'",
        "[limits]\nmemry = '1MiB'",
        "[limits]\nmemory = 5",
        "[limits]\nmemory = 'lots'",
        "[limits]\ntimeout = 'soon'",
        "[limits]\ntimeout = 5",
        "[limits]\nfuel = '0'",
        "[limits]\nfuel = 10",
        "[limits]\nlog-lines = -1",
        "[retry]\nbase = 2",
        "[retry]\nbases = '2s'",
        "[grants]\nsockets = true",
        "[grants]\ncontext = 'yes'",
        "[grants]\nhttp = 'api.example.com'",
        "[grants]\nprivate-addresses = ['10.0.0.1']",
    ];
    for text in wrong {
        assert!(Manifest::parse(text).is_err(), "{text}");
        assert!(!fits(text), "{text}");
    }
}
