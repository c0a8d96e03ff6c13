//! `flowmonkey new`: the folder of a new handler.

use super::{BadInput, Exit};
use crate::workshop::{Fault, Language, create};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct NewArgs {
    /// The handler's name, which is its folder's too: lower-case letters, digits and hyphens
    name: String,
    /// The language it is written in
    #[arg(long, short, value_enum)]
    lang: Language,
    /// Where the folder goes
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    into: PathBuf,
}

pub(super) fn new(args: &NewArgs, json: bool) -> anyhow::Result<Exit> {
    let created = create(&args.name, args.lang, &args.into);
    let folder = created.map_err(|fault| match fault {
        Fault::BadFolder(why) => BadInput(why).into(),
        other => anyhow::Error::from(other),
    })?;
    if json {
        say!("{:#}", json!({ "folder": folder, "name": args.name, "language": args.lang.name() }));
        return Ok(Exit::Done);
    }
    let shown = folder.strip_prefix(".").unwrap_or(&folder).display();
    say!("{shown}: a handler in {}. What to do next, and what it takes, is in {shown}/README.md:", args.lang);
    say!("  cd {shown}");
    say!("  flowmonkey build                     make the component");
    say!("  flowmonkey test                      run its cases, without a database");
    say!("  flowmonkey dev                       run jobs, and build again with each change");
    say!("  flowmonkey handlers push .           put it into a database, for every runner");
    Ok(Exit::Done)
}
