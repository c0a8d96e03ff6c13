//! The WIT package as wit-bindgen reads it, and what [`handler!`](crate::handler) expands to. Nothing here is
//! for handlers to call.

use crate::{Context, Error, IntoOutcome, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// All that a handler can import. What a handler does not use is not in its component.
pub(crate) mod imports {
    wit_bindgen::generate!({
        inline: "
            package flowmonkey:rust-imports;
            world imports {
                import flowmonkey:jobs/job@0.1.0;
                import flowmonkey:jobs/control@0.1.0;
                import flowmonkey:jobs/checkpoint@0.1.0;
                import flowmonkey:jobs/context@0.1.0;
                import flowmonkey:jobs/queue@0.1.0;
                import flowmonkey:jobs/idempotency@0.1.0;
                import flowmonkey:jobs/log@0.1.0;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:http/outgoing-handler@0.2.0;
            }
        ",
        path: "../../../wit",
        generate_all,
    });
}

/// What every handler exports.
pub mod handler_world {
    wit_bindgen::generate!({
        inline: "
            package flowmonkey:rust-handler;
            world handler { export flowmonkey:jobs/handler@0.1.0; }
        ",
        path: "../../../wit",
        with: { "flowmonkey:jobs/types@0.1.0": crate::wit::imports::flowmonkey::jobs::types },
        pub_export_macro: true,
        export_macro_name: "export_handler",
    });
}

/// What a handler exports that describes itself. A world of its own, for one that does not has no such export.
pub mod metadata_world {
    wit_bindgen::generate!({
        inline: "
            package flowmonkey:rust-metadata;
            world metadata { export flowmonkey:jobs/metadata@0.1.0; }
        ",
        path: "../../../wit",
        with: { "flowmonkey:jobs/types@0.1.0": crate::wit::imports::flowmonkey::jobs::types },
        pub_export_macro: true,
        export_macro_name: "export_metadata",
    });
}

pub use handler_world::{export_handler, exports::flowmonkey::jobs::handler};
pub use imports::flowmonkey::jobs::types::{JobError, Outcome};
pub use metadata_world::{export_metadata, exports::flowmonkey::jobs::metadata};

/// One attempt, between JSON and the handler's own types.
pub fn run<I: DeserializeOwned, O: IntoOutcome>(
    run: impl FnOnce(&Context, I) -> Result<O>,
    input: &str,
) -> std::result::Result<Outcome, JobError> {
    let outcome = || {
        let input = serde_json::from_str(input).map_err(|error| Error::fatal("BAD_INPUT", error))?;
        run(&Context::new(), input)?.into_outcome()
    };
    outcome().map_err(Error::into_wit)
}

/// A description as text. One that is no JSON is refused where it is read, when the handler is pushed.
pub fn describe(description: &impl Serialize) -> String {
    serde_json::to_string(description).unwrap_or_default()
}
