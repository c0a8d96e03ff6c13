use super::{denied, keyed, limited};
use crate::job::Keep;
use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::idempotency::Host;
use crate::sandbox::bindings::flowmonkey::jobs::types::HostError;

type Answer<T> = wasmtime::Result<Result<T, HostError>>;

impl AttemptState {
    fn may_use_idempotency(&self) -> Result<(), HostError> {
        if self.grants.idempotency { Ok(()) } else { Err(denied("idempotency")) }
    }
}

fn kept(ttl_ms: Option<u64>) -> Result<Keep, HostError> {
    let keep = ttl_ms.map_or(Ok(Keep::FOR_GOOD), Keep::millis);
    keep.map_err(|error| HostError::Invalid(error.to_string()))
}

impl Host for AttemptState {
    async fn lookup(&mut self, key: String) -> Answer<Option<String>> {
        let look_up = async {
            self.may_use_idempotency()?;
            keyed(&key)?;
            self.store_call()?;
            Ok(self.host.look_up_idempotency(&key).await?.map(|value| value.to_string()))
        };
        Ok(look_up.await)
    }

    async fn record(&mut self, key: String, value: String, ttl_ms: Option<u64>) -> Answer<()> {
        let record = async {
            self.may_use_idempotency()?;
            keyed(&key)?;
            self.without_secret(&key)?;
            self.without_secret(&value)?;
            let value = limited("idempotency value", &value, self.limits.idempotency_value_bytes_max)?;
            let keep = kept(ttl_ms)?;
            self.record_call()?;
            let recorded = self.host.record_idempotency(&key, &value, keep).await;
            self.recorded(&recorded);
            Ok(recorded?)
        };
        Ok(record.await)
    }
}
