//! Greets somebody.

use flowmonkey::{Context, Error, Result};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    name: String,
}

#[derive(Serialize)]
struct Output {
    greeting: String,
}

flowmonkey::handler!(run);

fn run(ctx: &Context, input: Input) -> Result<Output> {
    if input.name.is_empty() {
        return Err(Error::fatal("BAD_NAME", "the name is empty"));
    }
    ctx.log().info("greeting", &[("name", &input.name)]);
    Ok(Output { greeting: format!("Hello, {}!", input.name) })
}
