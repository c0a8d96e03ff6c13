use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A shorter secret would be found in texts by chance.
const SECRET_BYTES_MIN: usize = 4;

/// What an operator has set for one handler: plain values, and secrets. A secret is never shown: not in
/// `Debug`, not in a log line, not in a stored error; see [`ConfigValues::hide`].
#[derive(Clone, Default)]
pub struct ConfigValues {
    values: BTreeMap<String, String>,
    secrets: Vec<Secret>,
}

#[derive(Clone)]
struct Secret {
    key: String,
    /// As it is, and as it stands in JSON text, if that differs.
    forms: Vec<String>,
}

/// Why a secret cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{key}` is shorter than {SECRET_BYTES_MIN} bytes, so it could not be kept out of texts")]
pub struct SecretTooShort {
    key: String,
}

impl ConfigValues {
    /// Adds a value that may be seen.
    pub fn set(&mut self, key: &str, value: &str) {
        self.values.insert(key.to_owned(), value.to_owned());
    }

    /// Adds a value that may not.
    ///
    /// # Errors
    /// When it is too short to be told from other text.
    pub fn set_secret(&mut self, key: &str, value: &str) -> Result<(), SecretTooShort> {
        if value.len() < SECRET_BYTES_MIN {
            return Err(SecretTooShort { key: key.to_owned() });
        }
        let in_json = serde_json::Value::from(value).to_string();
        let in_json = in_json[1..in_json.len() - 1].to_owned();
        let mut forms = vec![value.to_owned()];
        // The longer form first: it may hold the shorter.
        if in_json != value {
            forms.insert(0, in_json);
        }
        self.secrets.push(Secret { key: key.to_owned(), forms });
        self.set(key, value);
        Ok(())
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The keys that have a value.
    pub fn keys(&self) -> BTreeSet<String> {
        self.values.keys().cloned().collect()
    }

    /// The text with every secret replaced by its key. Finds a secret as it is and as it stands in JSON; a
    /// guest that encodes one otherwise does so on purpose, and was trusted with it.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.secrets {
            for form in &secret.forms {
                if text.contains(form.as_str()) {
                    text = Cow::Owned(text.replace(form.as_str(), &format!("[secret {}]", secret.key)));
                }
            }
        }
        text
    }

    /// The key of a secret that a text holds, if any: for texts that must be kept as they are or not at all.
    pub fn secret_in(&self, text: &str) -> Option<&str> {
        let holds = |secret: &&Secret| secret.forms.iter().any(|form| text.contains(form.as_str()));
        self.secrets.iter().find(holds).map(|secret| secret.key.as_str())
    }
}

impl fmt::Debug for ConfigValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> ConfigValues {
        let mut values = ConfigValues::default();
        values.set("region", "eu");
        values.set_secret("key", "s3cr3t").unwrap();
        values.set_secret("quoted", "a\"b\\c").unwrap();
        values
    }

    #[test]
    fn secrets_are_hidden_and_plain_values_are_not() {
        let values = values();
        assert_eq!(values.hide("eu: s3cr3t, twice s3cr3t"), "eu: [secret key], twice [secret key]");
        assert_eq!(
            values.hide("raw a\"b\\c, in JSON a\\\"b\\\\c"),
            "raw [secret quoted], in JSON [secret quoted]"
        );
        assert_eq!(values.secret_in("x s3cr3t"), Some("key"));
        assert_eq!(values.secret_in("{\"k\": \"a\\\"b\\\\c\"}"), Some("quoted"));
        assert_eq!(values.secret_in("eu"), None);
        assert!(matches!(values.hide("nothing"), Cow::Borrowed(_)));
        let shown = format!("{values:?}");
        assert!(
            shown.contains("region") && !shown.contains("s3cr3t") && !shown.contains("\"eu\""),
            "{shown}"
        );
    }

    #[test]
    fn a_secret_that_could_not_be_kept_is_refused() {
        let error = ConfigValues::default().set_secret("pin", "123").unwrap_err().to_string();
        assert!(error.contains("`pin`") && !error.contains("123"), "{error}");
    }
}
