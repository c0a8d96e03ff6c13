use super::{AttemptHost, denied, keyed};
use crate::job::{JsonError, JsonText};
use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::context::Host;
use crate::sandbox::bindings::flowmonkey::jobs::types::HostError;
use std::sync::Arc;

/// FlowMonkey's limits; those of the context as a whole are the store's affair, since others write to it.
const VALUE_BYTES_MAX: usize = 1024 * 1024;
const VALUE_DEPTH_MAX: usize = 15;

type Answer<T> = wasmtime::Result<Result<T, HostError>>;

/// A value that may be stored.
fn check(value: &str) -> Result<JsonText, HostError> {
    let value = JsonText::parse_limited(value, VALUE_BYTES_MAX).map_err(|error| match error {
        JsonError::TooLarge { .. } => HostError::LimitExceeded(format!("the context value has {error}")),
        other => HostError::Invalid(other.to_string()),
    })?;
    let depth = value.depth();
    if depth > VALUE_DEPTH_MAX {
        let why =
            format!("the context value is nested {depth} levels deep, over the limit of {VALUE_DEPTH_MAX}");
        return Err(HostError::LimitExceeded(why));
    }
    Ok(value)
}

impl AttemptState {
    /// The way to the context, for handlers that may go it.
    fn context_host(&self) -> Result<Arc<dyn AttemptHost>, HostError> {
        if self.grants.context { Ok(self.host.clone()) } else { Err(denied("context")) }
    }
}

impl Host for AttemptState {
    async fn get(&mut self, key: String) -> Answer<Option<String>> {
        let host = self.context_host();
        let get = async {
            let host = host?;
            keyed(&key)?;
            Ok(host.context_value(&key).await?.map(|value| value.to_string()))
        };
        Ok(get.await)
    }

    async fn set(&mut self, key: String, value: String) -> Answer<()> {
        let host = self.context_host();
        let clean = self.without_secret(&key).and_then(|()| self.without_secret(&value));
        let set = async {
            let host = host?;
            clean?;
            keyed(&key)?;
            Ok(host.set_context(&key, &check(&value)?).await?)
        };
        Ok(set.await)
    }

    async fn delete(&mut self, key: String) -> Answer<()> {
        let host = self.context_host();
        let delete = async {
            let host = host?;
            keyed(&key)?;
            Ok(host.delete_context(&key).await?)
        };
        Ok(delete.await)
    }

    async fn keys(&mut self) -> Answer<Vec<String>> {
        let host = self.context_host();
        let keys = async { Ok(host?.context_keys().await?) };
        Ok(keys.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_limited_in_size_and_depth() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(check(&nested(VALUE_DEPTH_MAX)).is_ok());
        assert!(matches!(check(&nested(VALUE_DEPTH_MAX + 1)), Err(HostError::LimitExceeded(_))));
        let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        assert!(check(&long(VALUE_BYTES_MAX)).is_ok());
        assert!(matches!(check(&long(VALUE_BYTES_MAX + 1)), Err(HostError::LimitExceeded(_))));
        assert!(matches!(check("{"), Err(HostError::Invalid(_))));
    }
}
