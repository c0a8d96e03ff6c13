use crate::wit::imports::flowmonkey::jobs::context;
use crate::{Error, Result, json};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The context of the workflow execution that the job belongs to: what its steps share. Needs `context = true`
/// under `[grants]`; a job without an execution gets `DENIED`. Every function may fail as [`Error`] lists.
///
/// At most 1 MB a value, 10 MB in all, 500 keys, 15 levels deep.
#[derive(Debug)]
pub struct Execution(pub(crate) ());

impl Execution {
    /// The value under a key, if there is one; `BAD_VALUE` if it is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        json::answer(context::get(key), format_args!("the context's {key:?}"))
    }

    /// Stores a value under a key.
    pub fn set(&self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        context::set(key, &json::write(value)?).map_err(Error::host)
    }

    /// Removes a key; no error when there is none.
    pub fn delete(&self, key: &str) -> Result<()> {
        context::delete(key).map_err(Error::host)
    }

    /// The keys that have a value, in order.
    pub fn keys(&self) -> Result<Vec<String>> {
        context::keys().map_err(Error::host)
    }
}
