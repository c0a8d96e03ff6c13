use super::WrittenSchemas;
use crate::job::{JsonText, check_name};
use serde_json::Value;
use std::num::NonZeroU64;
use std::time::Duration;

/// What is shown of a name that nobody knows.
const UNKNOWN_CHARS_MAX: usize = 60;
/// So many of them are listed.
const UNKNOWN_MAX: usize = 10;
/// A longer description is a document.
const DESCRIPTION_BYTES_MAX: usize = 4096;

/// What a component says of itself (`describe`), as FlowMonkey's `HandlerMetadata` has it. All of it may be
/// absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The handler's name; must be the manifest's, see [`Metadata::contradicts`].
    pub name: Option<String>,
    /// A sentence for people.
    pub description: Option<String>,
    /// What kind of handler it is, for people.
    pub category: Option<String>,
    /// What the version is called; must be the manifest's, if that has one.
    pub version: Option<String>,
    /// Whether it keeps something between attempts. Shown, and nothing else: checkpoints are there for all.
    pub stateful: Option<bool>,
    /// Whether its attempts may be repeated. Shown, and nothing else: each failure says so itself.
    pub retryable: Option<bool>,
    /// The time an attempt may take where the manifest does not say, under the same ceiling.
    pub default_timeout: Option<Duration>,
    /// Its schemas; those that the manifest names win.
    pub schemas: WrittenSchemas,
    /// Names that mean nothing here, the first few, cut and without control characters. They are no error, since a
    /// later contract may add some.
    pub unknown: Vec<String>,
}

impl Metadata {
    /// Reads what `describe` returned.
    ///
    /// # Errors
    /// Names the field whose type is wrong.
    pub fn parse(text: &JsonText) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text.as_str()).map_err(|error| error.to_string())?;
        let Value::Object(fields) = value else { return Err("the description is no JSON object".into()) };
        let mut metadata = Metadata::default();
        for (field, value) in fields {
            // As in JavaScript, where a field without a value is often written as null.
            if value.is_null() {
                continue;
            }
            metadata.set(&field, value)?;
        }
        Ok(metadata)
    }

    fn set(&mut self, field: &str, value: Value) -> Result<(), String> {
        match field {
            "name" => self.name = Some(name(field, value)?),
            "version" => self.version = Some(name(field, value)?),
            "category" => self.category = Some(name(field, value)?),
            "description" => self.description = Some(description(value)?),
            "stateful" => self.stateful = Some(switch(field, &value)?),
            "retryable" => self.retryable = Some(switch(field, &value)?),
            "default-timeout-ms" => self.default_timeout = Some(timeout(field, &value)?),
            "config-schema" => self.schemas.config = Some(schema(field, value)?),
            "input-schema" => self.schemas.input = Some(schema(field, value)?),
            "output-schema" => self.schemas.output = Some(schema(field, value)?),
            other if self.unknown.len() < UNKNOWN_MAX => {
                let shown = other.chars().filter(|c| !c.is_control()).take(UNKNOWN_CHARS_MAX);
                self.unknown.push(shown.collect());
            }
            _ => {}
        }
        Ok(())
    }

    /// What it says otherwise than the manifest, if anything. Where one of the two says nothing, there is no
    /// contradiction.
    pub fn contradicts(&self, name: &str, manifest_version: Option<&str>) -> Option<String> {
        let differs = |what: &str, own: Option<&str>, written: Option<&str>| {
            let (own, written) = (own?, written?);
            (own != written).then(|| {
                format!("the component says that its {what} is {own:?}, but the manifest says {written:?}")
            })
        };
        differs("name", self.name.as_deref(), Some(name))
            .or_else(|| differs("version", self.version.as_deref(), manifest_version))
    }
}

fn wrong(field: &str, wanted: &str) -> String {
    format!("the description's `{field}` must be {wanted}")
}

fn name(field: &str, value: Value) -> Result<String, String> {
    let Value::String(text) = value else { return Err(wrong(field, "a text")) };
    check_name(&format!("description's `{field}`"), &text).map_err(|error| error.to_string())?;
    Ok(text)
}

fn description(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) if text.len() <= DESCRIPTION_BYTES_MAX => Ok(text),
        _ => Err(wrong("description", &format!("a text of at most {DESCRIPTION_BYTES_MAX} bytes"))),
    }
}

fn switch(field: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| wrong(field, "true or false"))
}

fn timeout(field: &str, value: &Value) -> Result<Duration, String> {
    // Languages with one kind of number write 30000.0.
    let whole = value.as_f64().filter(|ms| ms.fract() == 0.0 && (1.0..1e15).contains(ms));
    let ms = value.as_u64().and_then(NonZeroU64::new).map(NonZeroU64::get).or(whole.map(|ms| ms as u64));
    ms.map(Duration::from_millis).ok_or_else(|| wrong(field, "a whole number of milliseconds above zero"))
}

fn schema(field: &str, value: Value) -> Result<Value, String> {
    if value.is_object() || value.is_boolean() {
        Ok(value)
    } else {
        Err(wrong(field, "a JSON Schema, which is an object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: &Value) -> Result<Metadata, String> {
        Metadata::parse(&JsonText::parse(&value.to_string()).unwrap())
    }

    #[test]
    fn everything_may_be_said_or_left_out() {
        assert_eq!(parse(&json!({})), Ok(Metadata::default()));
        let nothing = json!({"name": null, "config-schema": null, "default-timeout-ms": null});
        assert_eq!(parse(&nothing), Ok(Metadata::default()));
        let all = parse(&json!({
            "name": "mail", "description": "Sends", "category": "external", "version": "2", "stateful": true,
            "retryable": false, "default-timeout-ms": 1500.0, "config-schema": {}, "input-schema": true,
            "output-schema": {"type": "object"}, "later": {"x": [1]}, "type": "mail",
        }));
        let all = all.unwrap();
        assert_eq!((all.name.as_deref(), all.version.as_deref()), (Some("mail"), Some("2")));
        assert_eq!((all.description.as_deref(), all.category.as_deref()), (Some("Sends"), Some("external")));
        assert_eq!((all.stateful, all.retryable), (Some(true), Some(false)));
        assert_eq!(all.default_timeout, Some(Duration::from_millis(1500)));
        assert_eq!((all.schemas.input, all.schemas.config), (Some(json!(true)), Some(json!({}))));
        assert_eq!(all.unknown, ["later", "type"]);
    }

    #[test]
    fn what_has_another_type_is_refused_by_its_name() {
        let long = "x".repeat(5000);
        let table = [
            (json!([]), "no JSON object"),
            (json!({"name": 5}), "`name` must be a text"),
            (json!({"name": ""}), "`name` has 0 bytes"),
            (json!({"version": "x".repeat(129)}), "`version` has 129 bytes"),
            (json!({"category": "a\nb"}), "control character"),
            (json!({"description": long}), "`description` must be a text of at most 4096 bytes"),
            (json!({"stateful": "yes"}), "`stateful` must be true or false"),
            (json!({"retryable": 1}), "`retryable` must be true or false"),
            (json!({"default-timeout-ms": 0}), "`default-timeout-ms` must be a whole number"),
            (json!({"default-timeout-ms": -5}), "`default-timeout-ms` must be a whole number"),
            (json!({"default-timeout-ms": 1.5}), "`default-timeout-ms` must be a whole number"),
            (json!({"default-timeout-ms": "1s"}), "`default-timeout-ms` must be a whole number"),
            (json!({"default-timeout-ms": 1e300}), "`default-timeout-ms` must be a whole number"),
            (json!({"input-schema": "{}"}), "`input-schema` must be a JSON Schema"),
            (json!({"output-schema": [1]}), "`output-schema` must be a JSON Schema"),
            (json!({"config-schema": 1}), "`config-schema` must be a JSON Schema"),
        ];
        for (value, part) in table {
            let error = parse(&value).unwrap_err();
            assert!(error.contains(part), "{value}: {error}");
        }
    }

    #[test]
    fn strangers_are_few_short_and_harmless() {
        let many: serde_json::Map<String, Value> =
            (0..1000).map(|n| (format!("\u{1b}[2J{n}{}", "x".repeat(500)), json!(n))).collect();
        let unknown = parse(&Value::Object(many)).unwrap().unknown;
        assert_eq!(unknown.len(), 10);
        assert!(unknown.iter().all(|name| name.len() <= 60 && !name.contains('\u{1b}')), "{unknown:?}");
    }

    #[test]
    fn what_differs_from_the_manifest_is_a_contradiction() {
        let metadata = parse(&json!({"name": "mail", "version": "2"})).unwrap();
        assert_eq!(metadata.contradicts("mail", Some("2")), None);
        assert_eq!(metadata.contradicts("mail", None), None);
        let name = metadata.contradicts("post", Some("2")).unwrap();
        assert!(name.contains("its name is \"mail\"") && name.contains("says \"post\""), "{name}");
        let version = metadata.contradicts("mail", Some("3")).unwrap();
        assert!(version.contains("its version is \"2\"") && version.contains("says \"3\""), "{version}");
        assert_eq!(Metadata::default().contradicts("any", Some("9")), None);
    }
}
