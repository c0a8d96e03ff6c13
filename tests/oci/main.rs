//! Handlers in OCI registries: in one that another project wrote, and in ones that mean no good.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod docker_registry;
mod given;
mod hostile;
