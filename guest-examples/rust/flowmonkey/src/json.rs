//! Between the types of a handler and the JSON text that the host stores.

use crate::wit::imports::flowmonkey::jobs::types::HostError;
use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;

/// A value that has no JSON, such as a map whose keys are no texts, never has one.
pub(crate) fn write(value: &(impl Serialize + ?Sized)) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::fatal("INVALID", error))
}

/// `what` names the value that was read.
pub(crate) fn read<T: DeserializeOwned>(text: &str, what: impl Display) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::fatal("BAD_VALUE", format_args!("{what}: {error}")))
}

/// What the host answered where there may be a value.
pub(crate) fn answer<T: DeserializeOwned>(
    answer: std::result::Result<Option<String>, HostError>,
    what: impl Display,
) -> Result<Option<T>> {
    answer.map_err(Error::host)?.map(|text| read(&text, what)).transpose()
}
