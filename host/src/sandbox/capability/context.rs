use super::{denied, keyed};
use crate::job::JsonText;
use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::context::Host;
use crate::sandbox::bindings::flowmonkey::jobs::types::HostError;

/// FlowMonkey's limits; those of the context as a whole are the store's affair, since others write to it.
const VALUE_BYTES_MAX: usize = 1024 * 1024;
const VALUE_DEPTH_MAX: usize = 15;

type Answer<T> = wasmtime::Result<Result<T, HostError>>;

/// A value that may be stored.
fn check(value: &str) -> Result<JsonText, HostError> {
    let value = super::limited("context value", value, VALUE_BYTES_MAX)?;
    let depth = value.depth();
    if depth > VALUE_DEPTH_MAX {
        let why =
            format!("the context value is nested {depth} levels deep, over the limit of {VALUE_DEPTH_MAX}");
        return Err(HostError::LimitExceeded(why));
    }
    Ok(value)
}

impl AttemptState {
    fn may_use_context(&self) -> Result<(), HostError> {
        if self.grants.context { Ok(()) } else { Err(denied("context")) }
    }
}

impl Host for AttemptState {
    async fn get(&mut self, key: String) -> Answer<Option<String>> {
        let get = async {
            self.may_use_context()?;
            keyed(&key)?;
            self.store_call()?;
            Ok(self.host.context_value(&key).await?.map(|value| value.to_string()))
        };
        Ok(get.await)
    }

    async fn set(&mut self, key: String, value: String) -> Answer<()> {
        let set = async {
            self.may_use_context()?;
            self.without_secret(&key)?;
            self.without_secret(&value)?;
            keyed(&key)?;
            let value = check(&value)?;
            self.store_call()?;
            Ok(self.host.set_context(&key, &value).await?)
        };
        Ok(set.await)
    }

    async fn delete(&mut self, key: String) -> Answer<()> {
        let delete = async {
            self.may_use_context()?;
            keyed(&key)?;
            self.store_call()?;
            Ok(self.host.delete_context(&key).await?)
        };
        Ok(delete.await)
    }

    async fn keys(&mut self) -> Answer<Vec<String>> {
        let keys = async {
            self.may_use_context()?;
            self.store_call()?;
            Ok(self.host.context_keys().await?)
        };
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
