//! Handlers for FlowMonkey Jobs in Rust.
//!
//! ```no_run
//! use flowmonkey::{Context, Error, Result};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! struct Input {
//!     name: String,
//! }
//!
//! #[derive(Serialize)]
//! struct Output {
//!     greeting: String,
//! }
//!
//! flowmonkey::handler!(run);
//!
//! fn run(ctx: &Context, input: Input) -> Result<Output> {
//!     if input.name.is_empty() {
//!         return Err(Error::fatal("BAD_NAME", "the name is empty"));
//!     }
//!     ctx.log().info("greeting", &[("name", &input.name)]);
//!     Ok(Output { greeting: format!("Hello, {}!", input.name) })
//! }
//! ```
//!
//! The input is the job's, read by `serde`; one that does not fit fails the job with `BAD_INPUT`. What `run`
//! returns is the job's result, or with [`Outcome`] a pause. How it fails says [`Error`]: `?` makes any
//! error one that is worth another attempt, [`OrFail::or_fatal`] makes it final.
//!
//! An attempt runs in a fresh instance. It may be the second one of a job that already did its work in part
//! or in whole: let work with effects outside be safe to repeat.
//!
//! The standard library works as far as the sandbox has it: clocks, `std::thread::sleep`, random hash seeds;
//! stdout and stderr go to the job's log. There are no files, no environment, no sockets and no threads.

#![warn(missing_docs)]

mod checkpoint;
mod config;
mod context;
mod error;
mod execution;
mod http;
mod idempotency;
mod json;
mod log;
mod outcome;
mod queue;
mod time;
#[doc(hidden)]
#[allow(missing_docs)]
pub mod wit;

pub use checkpoint::Checkpoint;
pub use config::Config;
pub use context::{Context, Directive};
pub use error::{Error, OrFail, Result};
pub use execution::Execution;
pub use http::{Http, Request, Response};
pub use idempotency::Idempotency;
pub use log::{Level, Log};
pub use outcome::{IntoOutcome, Outcome, Wait};
pub use queue::{NewJob, Queue};
pub use serde_json::{Value, json};

/// Makes a function the handler of the crate, which is a `cdylib`.
///
/// The function takes a `&`[`Context`] and the input, any `serde::de::DeserializeOwned`, and returns a
/// [`Result`] of what [`IntoOutcome`] takes: the result, any `serde::Serialize`, or an [`Outcome`].
///
/// ```no_run
/// # use flowmonkey::{Context, Result, Value, json};
/// flowmonkey::handler!(run, describe = json!({
///     "name": "echo",
///     "version": "1.0.0",
///     "input-schema": { "type": "object" }
/// }));
///
/// fn run(_: &Context, input: Value) -> Result<Value> {
///     Ok(input)
/// }
/// ```
///
/// `describe` is any value that becomes a JSON object. It is asked for once, when the handler is pushed, and
/// may have `name`, `description`, `category`, `version`, `stateful`, `retryable`, `default-timeout-ms`,
/// `config-schema`, `input-schema` and `output-schema`. A handler without it says nothing of itself.
#[macro_export]
macro_rules! handler {
    ($run:path) => {
        const _: () = {
            struct Handler;

            impl $crate::wit::handler::Guest for Handler {
                fn run(input: String) -> Result<$crate::wit::Outcome, $crate::wit::JobError> {
                    $crate::wit::run($run, &input)
                }
            }

            $crate::wit::export_handler! { Handler with_types_in $crate::wit::handler_world }
        };
    };
    ($run:path, describe = $describe:expr $(,)?) => {
        $crate::handler!($run);

        const _: () = {
            struct Metadata;

            impl $crate::wit::metadata::Guest for Metadata {
                fn describe() -> String {
                    $crate::wit::describe(&$describe)
                }
            }

            $crate::wit::export_metadata! { Metadata with_types_in $crate::wit::metadata_world }
        };
    };
}
