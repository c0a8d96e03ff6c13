use super::push::fetch;
use crate::cli::connect::Target;
use crate::cli::{BadInput, Exit, view};
use crate::config::{RawSettings, Settings};
use flowmonkey_jobs::catalog::{Manifest, OciReference, Parts, WrittenSchemas};
use flowmonkey_jobs::store::SharedStore;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PullArgs {
    /// A handler's NAME for its active version, NAME@VERSION, or oci://HOST/REPOSITORY:TAG
    what: String,
    /// The folder to make; it must not be there yet
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    into: PathBuf,
}

pub(in crate::cli) async fn pull(args: PullArgs, target: &Target, json: bool) -> anyhow::Result<Exit> {
    let (parts, from) = if args.what.starts_with("oci://") {
        let reference: OciReference = args.what.parse().map_err(|why| BadInput(format!("{why}")))?;
        let settings = RawSettings::find(None).and_then(Settings::try_from).map_err(BadInput)?;
        let (parts, pinned) = fetch(&reference, &settings.policy).await?;
        (parts, pinned.to_string())
    } else {
        match stored(&target.open(1).await?, &args.what).await? {
            Some(found) => found,
            None => {
                remark!("flowmonkey: there is no {} in the database", args.what);
                return Ok(Exit::NotFound);
            }
        }
    };
    let folder = args.into.join(&parts.name);
    let files = write(&folder, &parts)?;
    if json {
        view::print(&json!({ "handler": parts.name, "from": from, "folder": folder, "files": files }))?;
    } else {
        say!("{from} is in {}: {}", folder.display(), files.join(", "));
    }
    Ok(Exit::Done)
}

/// A version from the database, and what it is called.
async fn stored(store: &SharedStore, what: &str) -> anyhow::Result<Option<(Parts, String)>> {
    let (name, version) = what.rsplit_once('@').map_or((what, None), |(name, version)| (name, Some(version)));
    let version = match version {
        Some(version) => Some(version.to_owned()),
        None => store.handler_row(name).await?.and_then(|row| row.active),
    };
    let Some(version) = version else { return Ok(None) };
    let Some(row) = store.version(name, &version).await? else { return Ok(None) };
    let component = store.component(&row.digest).await?;
    let component = component.ok_or_else(|| anyhow::anyhow!("the component of {name}@{version} is gone"))?;
    let schemas =
        row.schemas.as_ref().map(WrittenSchemas::from_json).transpose().map_err(anyhow::Error::msg)?;
    let manifest = Manifest::parse(&row.manifest).map_err(anyhow::Error::msg)?;
    let parts = Parts {
        name: row.handler,
        manifest,
        manifest_text: row.manifest,
        schemas: schemas.unwrap_or_default(),
        component,
        signature: row.signature,
    };
    Ok(Some((parts, format!("{name}@{version}"))))
}

/// Writes what a push would read. Returns the files' names.
fn write(folder: &Path, parts: &Parts) -> anyhow::Result<Vec<String>> {
    let unwritable = |error: std::io::Error| BadInput(format!("{}: {error}", folder.display()));
    if parts.name.starts_with('.') || parts.name.contains(['/', '\\']) {
        return Err(BadInput(format!("{:?} is no name for a folder", parts.name)).into());
    }
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(unwritable)?;
    }
    std::fs::create_dir(folder).map_err(unwritable)?;
    let manifest = &parts.manifest;
    let component = manifest.component().map_or_else(|| PathBuf::from("handler.wasm"), Path::to_path_buf);
    let mut files = vec![(component.clone(), parts.component.clone())];
    let text = if parts.manifest_text.is_empty() {
        format!("name = {:?}\n", parts.name)
    } else {
        parts.manifest_text.clone()
    };
    files.push(("handler.toml".into(), text.into_bytes()));
    if let Some(signature) = &parts.signature {
        files.push((format!("{}.sig", component.display()).into(), format!("{signature}\n").into_bytes()));
    }
    let schemas = [
        (manifest.input_schema(), &parts.schemas.input),
        (manifest.output_schema(), &parts.schemas.output),
        (manifest.config_schema(), &parts.schemas.config),
    ];
    let named = schemas.into_iter().filter_map(|(path, schema)| Some((path?.to_owned(), schema.as_ref()?)));
    files.extend(named.map(|(path, schema): (PathBuf, &Value)| (path, format!("{schema:#}\n").into_bytes())));
    for (path, bytes) in &files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(unwritable)?;
        }
        std::fs::write(&path, bytes).map_err(unwritable)?;
    }
    Ok(files.into_iter().map(|(path, _)| path.display().to_string()).collect())
}
