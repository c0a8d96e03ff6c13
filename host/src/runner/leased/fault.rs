//! What the store's faults are to a guest.

use crate::sandbox::HostFault;
use crate::store::{ContextFault, EffectFault, StoreError};

impl From<StoreError> for HostFault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost => HostFault::LeaseLost,
            StoreError::Unavailable(why) => HostFault::Unavailable(why),
            StoreError::Invalid(why) => HostFault::Invalid(why),
            StoreError::Schema(why) | StoreError::Internal(why) => HostFault::Other(why),
        }
    }
}

impl From<ContextFault> for HostFault {
    fn from(fault: ContextFault) -> Self {
        match fault {
            ContextFault::NoExecution => HostFault::Denied(fault.to_string()),
            ContextFault::LimitExceeded(why) => HostFault::LimitExceeded(why),
            ContextFault::Store(error) => error.into(),
        }
    }
}

impl From<EffectFault> for HostFault {
    fn from(fault: EffectFault) -> Self {
        match fault {
            EffectFault::QueueFull { .. } => HostFault::LimitExceeded(fault.to_string()),
            EffectFault::KeyTaken(_) => HostFault::Invalid(fault.to_string()),
            EffectFault::Store(error) => error.into(),
        }
    }
}
