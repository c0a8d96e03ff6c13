use crate::wit::imports::flowmonkey::jobs::checkpoint;
use crate::{Error, Result, json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What survives an attempt. Keys belong to the job: a later attempt of the same job reads what an earlier one
/// saved. Every function may fail as [`Error`] lists.
///
/// Keys have 1 to 256 bytes. How large one value and all of a job's values may be, the manifest says:
/// `checkpoint-value-bytes` (1 MiB) and `checkpoint-bytes` (4 MiB).
#[derive(Debug)]
pub struct Checkpoint(pub(crate) ());

impl Checkpoint {
    /// Stores a value, replacing what was there and leaving other keys alone. It is durable when this
    /// returns.
    pub fn save(&self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        checkpoint::save(key, &json::write(value)?).map_err(Error::host)
    }

    /// The value under a key, if there is one; `BAD_VALUE` if it is no `T`.
    pub fn restore<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        json::answer(checkpoint::restore(key), format_args!("the checkpoint {key:?}"))
    }

    /// The JSON text under a key, if there is any: for a handler that must cope with what another version of
    /// it has saved.
    pub fn restore_json(&self, key: &str) -> Result<Option<String>> {
        checkpoint::restore(key).map_err(Error::host)
    }

    /// The keys that have a value, in order.
    pub fn keys(&self) -> Result<Vec<String>> {
        checkpoint::keys().map_err(Error::host)
    }

    /// Removes one key; no error when there is none.
    pub fn delete(&self, key: &str) -> Result<()> {
        checkpoint::delete(key).map_err(Error::host)
    }

    /// Removes all keys.
    pub fn clear(&self) -> Result<()> {
        checkpoint::clear().map_err(Error::host)
    }
}
