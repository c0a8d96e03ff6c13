use crate::time::millis;
use crate::wit::imports::flowmonkey::jobs::idempotency;
use crate::{Error, Result, json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Memory for "has this been done already?", shared by all jobs of a handler and by nobody else. Needs
/// `idempotency = true` under `[grants]`. Every function may fail as [`Error`] lists.
///
/// Keys have 1 to 256 bytes. What is recorded first stands until its time is over: the same value again
/// changes nothing, another one is `INVALID`. The manifest limits a value (`idempotency-value-bytes`, 64 KiB)
/// and how many keys an attempt records (`idempotency-records`, 100).
#[derive(Debug)]
pub struct Idempotency(pub(crate) ());

impl Idempotency {
    /// What was recorded under a key, if its time is not over; `BAD_VALUE` if it is no `T`.
    pub fn lookup<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        json::answer(idempotency::lookup(key), format_args!("what is recorded under {key:?}"))
    }

    /// Records a value for good.
    pub fn record(&self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        idempotency::record(key, &json::write(value)?, None).map_err(Error::host)
    }

    /// Records a value for so long.
    pub fn record_for(&self, ttl: Duration, key: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        idempotency::record(key, &json::write(value)?, Some(millis(ttl))).map_err(Error::host)
    }
}
