//! `flowmonkey build`: from source to a component that could be pushed.

use super::handlers::unmentioned_grants;
use super::table::{pairs, printable};
use super::{BadInput, Exit};
use crate::config::{RawSettings, Settings};
use crate::workshop::{self, Fault, Language, Profile, Workplace};
use bytesize::ByteSize;
use flowmonkey_jobs::catalog::{Candidate, Catalog, HandlerFiles, Parts, Policy};
use flowmonkey_jobs::sandbox::{Allowance, Sandbox};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(super) struct BuildArgs {
    /// The handler's folder, or a folder of such folders
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The language, where the folder does not tell
    #[arg(long, value_enum)]
    lang: Option<Language>,
    /// Small and quick; this is the default
    #[arg(long, conflicts_with = "debug")]
    release: bool,
    /// Built quickly, with line numbers in backtraces, where the language makes a difference
    #[arg(long)]
    debug: bool,
    /// A settings file, for limits and signatures [default: flowmonkey.toml, if it is here]
    #[arg(long, value_name = "FILE", env = "FLOWMONKEY_CONFIG")]
    config: Option<PathBuf>,
    /// Where machine code of handlers is kept for the next start [default: flowmonkey in the user's cache folder]
    #[arg(long, value_name = "FOLDER", env = "FLOWMONKEY_CACHE_FOLDER")]
    cache_folder: Option<PathBuf>,
}

/// A component that was built, and would be taken.
struct Built {
    path: PathBuf,
    language: Language,
    candidate: Candidate,
    took: Duration,
}

pub(super) async fn build(args: &BuildArgs, json: bool) -> anyhow::Result<Exit> {
    let file = RawSettings::find(args.config.as_deref()).map_err(BadInput)?;
    let flags = RawSettings { cache_folder: args.cache_folder.clone(), ..RawSettings::default() };
    let settings = Settings::try_from(flags.over(file)).map_err(BadInput)?;
    let workplaces = workplaces(args)?;
    let catalog = Catalog::new(Arc::new(Sandbox::new(&settings.sandbox)?));
    // What the operator allows is asked when it is pushed; here counts what it asks.
    let policy = Policy { allowance: Allowance::everything(), ..settings.policy };
    let profile = if args.debug { Profile::Debug } else { Profile::Release };
    let mut shown = Vec::new();
    let mut failed = Vec::new();
    for workplace in &workplaces {
        match one(workplace, profile, &catalog, &policy).await {
            Ok(built) if json => shown.push(built.json()),
            Ok(built) => say!("{}\n", built.text()),
            Err(why) if workplaces.len() == 1 => return Err(why),
            Err(why) => {
                remark!("flowmonkey: {}: {}", workplace.name, printable(&format!("{why:#}")));
                failed.push(workplace.name.as_str());
            }
        }
    }
    if json {
        let is_one = args.lang.is_some() || args.folder.join("handler.toml").is_file();
        let shown = if is_one { shown.pop().unwrap_or_default() } else { Value::from(shown) };
        say!("{shown:#}");
    }
    if failed.is_empty() { Ok(Exit::Done) } else { anyhow::bail!("not built: {}", failed.join(", ")) }
}

/// What there is to build: the folder itself, or what lies in it.
fn workplaces(args: &BuildArgs) -> anyhow::Result<Vec<Workplace>> {
    let folders = match args.lang {
        Some(_) => vec![args.folder.clone()],
        None => workshop::handler_folders(&args.folder).map_err(fault)?,
    };
    let mut found = Vec::new();
    for folder in &folders {
        match Workplace::of(folder, args.lang) {
            Ok(workplace) => found.extend(workplace),
            Err(why) if folders.len() == 1 => return Err(fault(why)),
            Err(why) => remark!("flowmonkey: left out: {}", printable(&why.to_string())),
        }
    }
    if found.is_empty() {
        return Err(BadInput(no_source(&args.folder)).into());
    }
    Ok(found)
}

async fn one(
    workplace: &Workplace,
    profile: Profile,
    catalog: &Catalog,
    policy: &Policy,
) -> anyhow::Result<Built> {
    let started = Instant::now();
    let placed = workshop::build(workplace, profile).await.map_err(fault)?;
    let took = started.elapsed();
    let path = placed.path.clone();
    match examine(workplace, catalog, policy).await {
        Ok(candidate) => Ok(Built { path, language: workplace.language, candidate, took }),
        Err(why) => {
            placed.undo().map_err(fault)?;
            anyhow::bail!(
                "{} is built but no handler, and what was there before is back: {why}",
                path.display()
            )
        }
    }
}

/// Asks what a push would ask.
async fn examine(workplace: &Workplace, catalog: &Catalog, policy: &Policy) -> Result<Candidate, String> {
    let parts = HandlerFiles::of_folder(&workplace.folder).and_then(|files| Parts::read(files, policy));
    // A build has no signature yet.
    let unsigned = Policy { signatures: Default::default(), ..policy.clone() };
    let candidate = match parts {
        Ok(parts) => Candidate::examine(catalog, parts, &unsigned).await,
        Err(why) => Err(why),
    };
    let candidate = candidate.map_err(|why| why.to_string())?;
    match unmentioned_grants(&candidate) {
        Some(why) => Err(why),
        None => Ok(candidate),
    }
}

fn no_source(folder: &Path) -> String {
    let markers = Language::ALL.map(Language::marker).join(", ");
    format!(
        "{} holds no source of a handler: none of {markers}; `flowmonkey new NAME --lang LANGUAGE` writes one",
        folder.display()
    )
}

pub(super) fn fault(fault: Fault) -> anyhow::Error {
    match fault {
        Fault::BadFolder(why) => BadInput(why).into(),
        other => other.into(),
    }
}

impl Built {
    fn asks(&self) -> Vec<String> {
        self.candidate.parts.manifest.grants().written()
    }

    fn text(&self) -> String {
        let asks = self.asks();
        let facts = vec![
            ("handler", self.candidate.handler.name.clone()),
            ("language", self.language.to_string()),
            ("component", self.path.display().to_string()),
            ("size", ByteSize::b(self.candidate.parts.component.len() as u64).display().iec().to_string()),
            ("sha-256", self.candidate.handler.digest.clone()),
            ("asks for", if asks.is_empty() { "nothing".into() } else { asks.join(", ") }),
            ("built in", format!("{:.1} s", self.took.as_secs_f64())),
        ];
        pairs(&facts)
    }

    fn json(&self) -> Value {
        json!({
            "handler": self.candidate.handler.name,
            "language": self.language.name(),
            "component": self.path,
            "bytes": self.candidate.parts.component.len(),
            "sha256": self.candidate.handler.digest,
            "asks": self.asks(),
            "built_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}
