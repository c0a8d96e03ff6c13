use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;

/// The largest input of a job, in bytes of JSON text.
pub const INPUT_BYTES_MAX: usize = 1024 * 1024;
/// How deep arrays and objects may be nested.
pub const JSON_DEPTH_MAX: usize = 128;
/// Postgres stores numbers exactly and refuses those beyond some 131,000 digits; nothing that reads
/// JSON as doubles means more than 308.
const EXPONENT_DIGITS_MAX: usize = 3;
const NUMBER_BYTES_MAX: usize = 400;

/// JSON text that every part may rely on: it parses, its nesting is bounded, and Postgres can store
/// it as `jsonb` (no NUL, no lone surrogate, no monstrous number). Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Arc<str>);

/// Why a text is not acceptable as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Over the limit; nothing of it was read.
    #[error("{bytes} bytes of JSON, over the limit of {max}")]
    TooLarge {
        /// The size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Not JSON at all.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// A string holds NUL, which databases cannot store.
    #[error("a string holds NUL (\\u0000), which cannot be stored")]
    Nul,
    /// A string holds half of a surrogate pair, which is no character.
    #[error("a string holds a lone surrogate (\\ud800 to \\udfff), which is no character")]
    LoneSurrogate,
    /// Nested deeper than [`JSON_DEPTH_MAX`].
    #[error("nested deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
    /// A number no double can hold.
    #[error("a number is out of range: {0}")]
    Number(String),
}

impl JsonText {
    /// Checks a text of up to [`INPUT_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// Says what is wrong with it; see [`JsonError`].
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        Self::parse_limited(text, INPUT_BYTES_MAX)
    }

    /// Checks a text against a limit of the caller's.
    ///
    /// # Errors
    /// Says what is wrong with it; see [`JsonError`].
    pub fn parse_limited(text: &str, bytes_max: usize) -> Result<Self, JsonError> {
        if text.len() > bytes_max {
            return Err(JsonError::TooLarge { bytes: text.len(), max: bytes_max });
        }
        // Depth first: the parser below would answer with an error of its own that is hard to read.
        scan(text.as_bytes())?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
        Ok(JsonText(text.trim().into()))
    }

    /// `null`.
    pub(crate) fn null() -> Self {
        JsonText::from_store("null".into())
    }

    /// What the database holds, which was checked when it was stored or is `jsonb`.
    pub(crate) fn from_store(text: String) -> Self {
        JsonText(text.into())
    }

    /// A JSON string with this content.
    pub fn from_string_value(value: &str) -> Self {
        JsonText(serde_json::Value::from(value).to_string().into())
    }

    /// How deep its arrays and objects are nested; 0 for anything else.
    pub fn depth(&self) -> usize {
        let (mut depth, mut deepest, mut at) = (0usize, 0, 0);
        let bytes = self.0.as_bytes();
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' => at = scan_string(bytes, at + 1).unwrap_or(bytes.len()),
                b'[' | b'{' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                    at += 1;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    at += 1;
                }
                _ => at += 1,
            }
        }
        deepest
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One pass over bytes that may or may not be JSON, for what the parser lets through.
fn scan(bytes: &[u8]) -> Result<(), JsonError> {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = scan_string(bytes, at + 1)?,
            b'[' | b'{' => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return Err(JsonError::TooDeep);
                }
                at += 1;
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'0'..=b'9' => at = scan_number(bytes, at)?,
            0 => return Err(JsonError::Nul),
            _ => at += 1,
        }
    }
    Ok(())
}

/// Returns the position after the closing quote, or the end.
fn scan_string(bytes: &[u8], mut at: usize) -> Result<usize, JsonError> {
    let mut high_pending = false;
    loop {
        let step = match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) => return Ok(at),
            (Some(b'\\'), Some(b'u')) => {
                let unit = hex_unit(bytes.get(at + 2..at + 6));
                match unit {
                    Some(0) => return Err(JsonError::Nul),
                    Some(0xD800..=0xDBFF) if !high_pending => high_pending = true,
                    Some(0xDC00..=0xDFFF) if high_pending => high_pending = false,
                    Some(0xD800..=0xDFFF) => return Err(JsonError::LoneSurrogate),
                    _ if high_pending => return Err(JsonError::LoneSurrogate),
                    _ => {}
                }
                at += 6;
                continue;
            }
            (Some(0), _) => return Err(JsonError::Nul),
            (Some(b'\\'), _) => 2,
            (Some(b'"'), _) if !high_pending => return Ok(at + 1),
            _ => 1,
        };
        if high_pending {
            return Err(JsonError::LoneSurrogate);
        }
        at += step;
    }
}

fn hex_unit(digits: Option<&[u8]>) -> Option<u16> {
    let text = std::str::from_utf8(digits?).ok()?;
    u16::from_str_radix(text, 16).ok()
}

fn scan_number(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let length = bytes[start..].iter().take_while(is_part).count();
    let number = &bytes[start..start + length];
    let exponent = number.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let digits = exponent.map_or(0, |at| {
        let digits = number[at + 1..].iter().filter(|byte| byte.is_ascii_digit());
        digits.skip_while(|byte| **byte == b'0').count()
    });
    if length > NUMBER_BYTES_MAX || digits > EXPONENT_DIGITS_MAX {
        let shown = String::from_utf8_lossy(&number[..length.min(24)]);
        return Err(JsonError::Number(shown.into_owned()));
    }
    Ok(start + length)
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for JsonText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for JsonText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(JsonText(raw.get().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_part_can_store_passes() {
        let deepest = "[".repeat(JSON_DEPTH_MAX) + &"]".repeat(JSON_DEPTH_MAX);
        let good = [
            "null",
            " 1 ",
            "-0.5e-300",
            "1e308",
            "\"\"",
            "\"\\\\u0000\"",
            "\"\\ud83d\\ude00\"",
            "\"😀\"",
            "{\"a\":[1,2,{\"b\":\"[[[[\"}]}",
            "123456789012345678901234567890",
            deepest.as_str(),
        ];
        for text in good {
            assert_eq!(JsonText::parse(text).map(|json| json.to_string()).as_deref(), Ok(text.trim()));
        }
    }

    #[test]
    fn depth_counts_what_is_nested_and_not_what_is_quoted() {
        let table =
            [("1", 0), ("\"[[{\"", 0), ("[]", 1), ("[1,[2],{\"a\":[3]}]", 3), ("{\"[\":{\"b\":1}}", 2)];
        for (text, depth) in table {
            assert_eq!(JsonText::parse(text).unwrap().depth(), depth, "{text}");
        }
    }

    #[test]
    fn what_some_part_cannot_store_is_refused_by_its_reason() {
        use JsonError::{LoneSurrogate, Nul, TooDeep};
        let deep = "[".repeat(100_000);
        let table = [
            ("\"\\u0000\"", Nul),
            ("\"a\0b\"", Nul),
            ("\0", Nul),
            ("\"\\ud800\"", LoneSurrogate),
            ("\"\\ud800x\"", LoneSurrogate),
            ("\"\\ud800\\n\"", LoneSurrogate),
            ("\"\\ud800\\ud800\\udc00\"", LoneSurrogate),
            ("\"\\udc00\"", LoneSurrogate),
            (deep.as_str(), TooDeep),
        ];
        for (text, expected) in table {
            let shown = &text[..text.len().min(40)];
            assert_eq!(JsonText::parse(text), Err(expected), "{shown}");
        }
        for text in ["1e1000", "1E+99999999999", &"9".repeat(500), "[1e-4000]"] {
            assert!(matches!(JsonText::parse(text), Err(JsonError::Number(_))), "{text}");
        }
        for text in ["", "{", "nul", "'a'", "{a:1}", "[1,]", "1 2", "\"", "\"\\", "\"\\u12"] {
            assert!(matches!(JsonText::parse(text), Err(JsonError::Syntax(_))), "{text}");
        }
        let large = format!("\"{}\"", "x".repeat(INPUT_BYTES_MAX));
        assert!(matches!(JsonText::parse(&large), Err(JsonError::TooLarge { .. })));
    }
}
