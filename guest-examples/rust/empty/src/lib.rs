//! Does nothing: what an attempt of it costs is what an attempt costs.
//!
//! The input is ignored:
//!
//! ```json
//! {}
//! ```

use flowmonkey::{Context, Result};
use serde::de::IgnoredAny;

flowmonkey::handler!(run);

fn run(_: &Context, _: IgnoredAny) -> Result<()> {
    Ok(())
}
