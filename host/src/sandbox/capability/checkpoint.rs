use crate::job::JsonText;
use crate::sandbox::attempt::AttemptState;
use crate::sandbox::bindings::flowmonkey::jobs::checkpoint::Host;
use crate::sandbox::bindings::flowmonkey::jobs::types::HostError;
use crate::sandbox::limits::Limits;
use std::collections::BTreeMap;
use wasmtime::Result;

/// What the job has saved. Only the attempt that holds the lease writes, so this copy is the truth for
/// as long as the lease is; reading costs no round trip.
#[derive(Debug)]
pub(in crate::sandbox) struct Checkpoints {
    values: BTreeMap<String, JsonText>,
    bytes: usize,
    value_bytes_max: usize,
    bytes_max: usize,
    has_job: bool,
}

impl Checkpoints {
    pub(in crate::sandbox) fn new(stored: Option<&JsonText>, limits: &Limits, has_job: bool) -> Self {
        // An object is all that `save` ever writes. What others wrote there and is none counts as empty.
        let values: BTreeMap<String, JsonText> =
            stored.and_then(|text| serde_json::from_str(text.as_str()).ok()).unwrap_or_default();
        Checkpoints {
            bytes: values.iter().map(|(key, value)| key.len() + value.as_str().len()).sum(),
            values,
            value_bytes_max: limits.checkpoint_value_bytes_max,
            bytes_max: limits.checkpoint_bytes_max,
            has_job,
        }
    }

    /// Reading is denied as well where there is no job whose values these could be.
    fn of_a_job(&self) -> std::result::Result<(), HostError> {
        if self.has_job { Ok(()) } else { Err(HostError::Denied("there is no job".into())) }
    }

    /// What the sum would be with this value.
    fn bytes_with(&self, key: &str, value: &JsonText) -> usize {
        let replaced = self.values.get(key).map_or(0, |old| key.len() + old.as_str().len());
        self.bytes - replaced + key.len() + value.as_str().len()
    }

    fn check(&self, key: &str, value: &str) -> std::result::Result<JsonText, HostError> {
        super::keyed(key)?;
        let value = super::limited("checkpoint value", value, self.value_bytes_max)?;
        let bytes = self.bytes_with(key, &value);
        if bytes > self.bytes_max {
            let max = self.bytes_max;
            let why = format!("all checkpoints would have {bytes} bytes, over the limit of {max}");
            return Err(HostError::LimitExceeded(why));
        }
        Ok(value)
    }
}

impl Host for AttemptState {
    async fn save(&mut self, key: String, value: String) -> Result<std::result::Result<(), HostError>> {
        let save = async {
            self.without_secret(&key)?;
            self.without_secret(&value)?;
            let value = self.checkpoints.check(&key, &value)?;
            self.store_call()?;
            self.host.save_checkpoint(&key, &value).await?;
            self.checkpoints.bytes = self.checkpoints.bytes_with(&key, &value);
            self.checkpoints.values.insert(key, value);
            Ok(())
        };
        Ok(save.await)
    }

    async fn restore(&mut self, key: String) -> Result<std::result::Result<Option<String>, HostError>> {
        let value = || self.checkpoints.values.get(&key).map(JsonText::to_string);
        Ok(self.checkpoints.of_a_job().map(|()| value()))
    }

    async fn keys(&mut self) -> Result<std::result::Result<Vec<String>, HostError>> {
        let keys = || self.checkpoints.values.keys().cloned().collect();
        Ok(self.checkpoints.of_a_job().map(|()| keys()))
    }

    async fn delete(&mut self, key: String) -> Result<std::result::Result<(), HostError>> {
        if let Err(denied) = self.checkpoints.of_a_job() {
            return Ok(Err(denied));
        }
        if !self.checkpoints.values.contains_key(&key) {
            return Ok(Ok(()));
        }
        let delete = async {
            self.store_call()?;
            self.host.delete_checkpoint(&key).await?;
            if let Some(value) = self.checkpoints.values.remove(&key) {
                self.checkpoints.bytes -= key.len() + value.as_str().len();
            }
            Ok(())
        };
        Ok(delete.await)
    }

    async fn clear(&mut self) -> Result<std::result::Result<(), HostError>> {
        let clear = async {
            self.store_call()?;
            self.host.clear_checkpoints().await?;
            self.checkpoints.values.clear();
            self.checkpoints.bytes = 0;
            Ok(())
        };
        Ok(clear.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_and_their_sum_are_limited() {
        let limits = Limits { checkpoint_value_bytes_max: 6, checkpoint_bytes_max: 12, ..Limits::default() };
        let stored = JsonText::parse("{\"a\": \"1234\"}").unwrap();
        let saved = Checkpoints::new(Some(&stored), &limits, true);
        assert_eq!(saved.bytes, 7);
        assert!(saved.check("b", "1234").is_ok());
        assert!(saved.check("a", "\"abcd\"").is_ok(), "the old value makes room");
        assert!(matches!(saved.check("b", "12345"), Err(HostError::LimitExceeded(_))));
        assert!(matches!(saved.check("a", "1234567"), Err(HostError::LimitExceeded(_))));
        for (key, value) in
            [("", "1"), ("a\0", "1"), (&"k".repeat(257), "1"), ("a", "{"), ("a", "\"\\u0000\"")]
        {
            let refused = saved.check(key, value);
            assert!(matches!(refused, Err(HostError::Invalid(_) | HostError::LimitExceeded(_))), "{key:?}");
        }
    }
}
