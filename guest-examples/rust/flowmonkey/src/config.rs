use crate::wit::imports::wasi::config::store;
use crate::{Error, Result};

/// What the operator has set for the handler: texts by key. Needs `config = ["region"]` under `[grants]`, which
/// names the keys.
#[derive(Debug)]
pub struct Config(pub(crate) ());

impl Config {
    /// The text under a key, if the operator has set one.
    ///
    /// # Errors
    /// `DENIED` for a key without a grant; `UNAVAILABLE` where there was no answer.
    pub fn get(&self, key: &str) -> Result<Option<String>> {
        store::get(key).map_err(failed)
    }

    /// All that is granted and set.
    ///
    /// # Errors
    /// `UNAVAILABLE` where there was no answer.
    pub fn all(&self) -> Result<Vec<(String, String)>> {
        store::get_all().map_err(failed)
    }
}

/// The standard's errors have no case of their own for what is not granted; this host's text begins with it.
fn failed(error: store::Error) -> Error {
    let (store::Error::Upstream(why) | store::Error::Io(why)) = error;
    match why.strip_prefix("denied: ") {
        Some(why) => Error::fatal("DENIED", why),
        None => Error::retryable("UNAVAILABLE", why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_a_grant_is_denied_for_good() {
        let error = failed(store::Error::Upstream("denied: no grant".into()));
        assert_eq!((error.to_string().as_str(), error.is_retryable()), ("DENIED: no grant", false));
        let error = failed(store::Error::Io("no answer".into()));
        assert_eq!((error.to_string().as_str(), error.is_retryable()), ("UNAVAILABLE: no answer", true));
    }
}
