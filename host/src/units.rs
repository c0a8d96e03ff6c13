//! Times, sizes and numbers of instructions as people write them, in settings and manifests.

use bytesize::ByteSize;
use std::str::FromStr;
use std::time::Duration;

/// A duration: `500ms`, `10s`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

/// A size in bytes: `64MiB`, `1GB`, `1048576`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub usize);

/// A number of instructions, or `unlimited`: none counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Fuel(pub Option<u64>);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = humantime::parse_duration(text);
        duration.map(Span).map_err(|error| format!("{error}; write a time like 500ms, 10s or 1h30m"))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size: ByteSize =
            text.parse().map_err(|error| format!("{error}; write a size like 64MiB or 1GB"))?;
        usize::try_from(size.as_u64()).map(Size).map_err(|_| "larger than this machine can address".into())
    }
}

impl FromStr for Fuel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Fuel(None));
        }
        match text.replace('_', "").parse() {
            Ok(0) | Err(_) => Err("write a number above zero, or `unlimited`".into()),
            Ok(fuel) => Ok(Fuel(Some(fuel))),
        }
    }
}

macro_rules! from_string {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}
from_string!(Span Size Fuel);
