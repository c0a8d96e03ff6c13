use super::{Actor, fault};
use crate::cli::connect::Target;
use crate::cli::table::{pairs, printable};
use crate::cli::{BadInput, Exit, view};
use crate::config::{RawSettings, Settings};
use bytesize::ByteSize;
use flowmonkey_jobs::catalog::{
    Artifact, Candidate, Catalog, HandlerFiles, Manifest, OciConfig, OciReference, OciRegistry, Parts,
    Policy, WrittenSchemas, sign,
};
use flowmonkey_jobs::job::JsonText;
use flowmonkey_jobs::sandbox::{Grant, Sandbox};
use flowmonkey_jobs::store::{Activation, Pushed};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PushArgs {
    /// A folder with handler.toml, a NAME.wasm, or oci://HOST/REPOSITORY:TAG
    source: String,
    /// Publish it to a registry instead of the database: oci://HOST/REPOSITORY:TAG
    #[arg(long, value_name = "REFERENCE", conflicts_with_all = ["no_activate", "canary"])]
    to: Option<OciReference>,
    /// The handler's name [default: the manifest's, else the folder's or the file's]
    #[arg(long)]
    name: Option<String>,
    /// Only put it into the database; `handlers activate` lets it run
    #[arg(long, conflicts_with = "canary")]
    no_activate: bool,
    /// Let only so many percent of the jobs use it
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    canary: Option<u8>,
    /// Check it and say what would happen; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Sign the component with this Ed25519 private key in PEM form
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// A settings file, for what handlers may have [default: flowmonkey.toml, if it is here]
    #[arg(long, value_name = "FILE", env = "FLOWMONKEY_CONFIG")]
    config: Option<PathBuf>,
    /// Where machine code of handlers is kept for the next start [default: flowmonkey in the user's cache folder]
    #[arg(long, value_name = "FOLDER", env = "FLOWMONKEY_CACHE_FOLDER")]
    cache_folder: Option<PathBuf>,
    #[command(flatten)]
    actor: Actor,
}

pub(in crate::cli) async fn push(args: PushArgs, target: &Target, json: bool) -> anyhow::Result<Exit> {
    let file = RawSettings::find(args.config.as_deref()).map_err(BadInput)?;
    let flags = RawSettings { cache_folder: args.cache_folder.clone(), ..RawSettings::default() };
    let settings = Settings::try_from(flags.over(file)).map_err(BadInput)?;
    let policy = &settings.policy;
    let (mut parts, source) = parts(&args, policy).await?;
    if let Some(path) = &args.sign_key {
        parts.signature = Some(signature(path, &parts.component)?);
    }
    let catalog = Catalog::new(Arc::new(Sandbox::new(&settings.sandbox)?));
    let name = parts.name.clone();
    let refused = |why: String| BadInput(format!("{name} is refused, and nothing has changed: {why}"));
    let candidate = Candidate::examine(&catalog, parts, policy).await;
    let candidate = candidate.map_err(|why| refused(why.to_string()))?;
    let report = Report { candidate: &candidate, source: source.as_deref() };
    if let Some(why) = missing_grants(&candidate) {
        return Err(refused(why).into());
    }
    if args.dry_run {
        return report.tell(json, &Ending::DryRun);
    }
    if let Some(reference) = &args.to {
        let published = publish(&candidate, reference).await?;
        return report.tell(json, &Ending::Published(published.to_string()));
    }
    let activation = match (args.no_activate, args.canary) {
        (true, _) => None,
        (false, None) => Some(Activation::All),
        (false, Some(percent)) => Some(Activation::Canary(percent)),
    };
    let store = target.open_or_create(2).await?;
    match store.push_version(&candidate.to_version(source.clone()), activation, &args.actor.name()).await {
        Ok(pushed) => report.tell(json, &Ending::Pushed(pushed, activation)),
        Err(why) => fault(why),
    }
}

/// What is to be pushed, and where it came from when that can be told for good.
async fn parts(args: &PushArgs, policy: &Policy) -> anyhow::Result<(Parts, Option<String>)> {
    if args.source.starts_with("oci://") {
        let reference: OciReference = args.source.parse().map_err(|why| BadInput(format!("{why}")))?;
        let (parts, pinned) = fetch(&reference, policy).await?;
        let name = args.name.clone().unwrap_or(parts.name);
        return Ok((Parts { name, ..parts }, Some(pinned.to_string())));
    }
    let path = Path::new(&args.source);
    let files = if path.is_dir() {
        HandlerFiles::of_folder(&path.canonicalize()?)
    } else {
        HandlerFiles::of_component(path)
    };
    let parts = files.and_then(|files| {
        // Before the component is read: how large it may be hangs on the name.
        let name = args.name.clone().unwrap_or_else(|| files.name.clone());
        Parts::read(HandlerFiles { name, ..files }, policy)
    });
    Ok((parts.map_err(|why| BadInput(format!("{}: {why}; nothing has changed", args.source)))?, None))
}

/// A handler from a registry, and the reference that means these very bytes.
pub(super) async fn fetch(
    reference: &OciReference,
    policy: &Policy,
) -> anyhow::Result<(Parts, OciReference)> {
    let registry = OciRegistry::new(OciConfig::default())?;
    let (artifact, pinned) = registry.fetch(reference, policy.highest_ceiling().component_bytes_max).await?;
    let Artifact { component, manifest, signature, schemas } = artifact;
    let manifest_text = manifest.unwrap_or_default();
    let manifest =
        Manifest::parse(&manifest_text).map_err(|why| BadInput(format!("{pinned}: handler.toml: {why}")))?;
    let last = reference.repository().rsplit('/').next().unwrap_or_default();
    let name = manifest.name().unwrap_or(last).to_owned();
    let schemas = schemas.as_deref().map(|text| {
        let text = JsonText::parse_limited(text, text.len()).map_err(|error| error.to_string())?;
        WrittenSchemas::from_json(&text)
    });
    let schemas = schemas
        .transpose()
        .map_err(|why| BadInput(format!("{pinned}: its schemas: {why}")))?
        .unwrap_or_default();
    Ok((Parts { name, manifest, manifest_text, schemas, component, signature }, pinned))
}

async fn publish(candidate: &Candidate, reference: &OciReference) -> anyhow::Result<OciReference> {
    let parts = &candidate.parts;
    let artifact = Artifact {
        component: parts.component.clone(),
        manifest: Some(parts.manifest_text.clone()).filter(|text| !text.is_empty()),
        signature: parts.signature.clone(),
        schemas: candidate.handler.schemas.to_json().map(|text| text.to_string()),
    };
    Ok(OciRegistry::new(OciConfig::default())?.publish(reference, &artifact).await?)
}

fn signature(key: &Path, component: &[u8]) -> anyhow::Result<String> {
    let shown = key.display();
    let pem = std::fs::read_to_string(key).map_err(|error| BadInput(format!("{shown}: {error}")))?;
    let digest = flowmonkey_jobs::catalog::digest(component);
    Ok(sign(&pem, &digest).map_err(|error| BadInput(format!("{shown}: {error}")))?)
}

/// What a handler would find denied when it runs: a push is the moment to say so.
fn missing_grants(candidate: &Candidate) -> Option<String> {
    let mut lines = Vec::new();
    if !candidate.denied.is_empty() {
        lines.push(format!(
            "its manifest asks for what the settings do not allow: {}. Allow it below [allow] or [handlers.{}.allow] of \
             flowmonkey.toml, or do not ask for it",
            candidate.denied.join(", "),
            candidate.handler.name
        ));
    }
    lines.extend(unmentioned_grants(candidate));
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What a component imports although its manifest does not say whether it needs it.
pub(in crate::cli) fn unmentioned_grants(candidate: &Candidate) -> Option<String> {
    let line = |grant: &Grant| {
        format!("{} (or {} = {} to go without)", grant.example(), grant.name(), grant.nothing())
    };
    let grants: Vec<String> = candidate.unmentioned.iter().map(line).collect();
    (!grants.is_empty()).then(|| {
        format!(
            "its component imports what needs a grant, and its manifest does not mention it. Write below [grants] of \
             handler.toml: {}",
            grants.join("; ")
        )
    })
}

enum Ending {
    DryRun,
    Published(String),
    Pushed(Pushed, Option<Activation>),
}

/// What is told of a push that was not refused.
struct Report<'a> {
    candidate: &'a Candidate,
    source: Option<&'a str>,
}

impl Report<'_> {
    fn tell(&self, json: bool, ending: &Ending) -> anyhow::Result<Exit> {
        if json {
            view::print(&self.json(ending))?;
        } else {
            say!("{}\n\n{}", pairs(&self.facts()), printable(&self.sentence(ending)));
        }
        Ok(Exit::Done)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Candidate { handler, parts, .. } = self.candidate;
        let size = ByteSize(parts.component.len() as u64).display().iec();
        let limits = &handler.settings.limits;
        let grants = handler.settings.grants.written();
        let mut facts = vec![
            ("handler", handler.name.clone()),
            ("component", format!("{size}, sha256:{}", handler.digest)),
            ("gets", if grants.is_empty() { "no grants".into() } else { grants.join(", ") }),
            (
                "limits",
                format!(
                    "{} of time, {} of memory",
                    humantime::format_duration(limits.wall_max),
                    ByteSize(limits.memory_bytes_max as u64).display().iec()
                ),
            ),
        ];
        let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
        add("from", self.source.map(str::to_owned));
        add("signed", parts.signature.as_ref().map(|_| "yes".into()));
        add("schemas", (!self.schemas().is_empty()).then(|| self.schemas().join(", ")));
        facts
    }

    fn schemas(&self) -> Vec<&'static str> {
        let schemas = &self.candidate.handler.schemas;
        let each = [
            ("input", schemas.has_input()),
            ("output", schemas.has_output()),
            ("config", schemas.has_config()),
        ];
        each.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
    }

    fn sentence(&self, ending: &Ending) -> String {
        let name = &self.candidate.handler.name;
        match ending {
            Ending::DryRun => "It would be accepted. Nothing has changed.".into(),
            Ending::Published(reference) => format!("Published as {reference}"),
            Ending::Pushed(Pushed { version, is_new }, activation) => {
                let known = if *is_new { "is new" } else { "was pushed before" };
                let active = match activation {
                    None => format!("`flowmonkey handlers activate {name} {version}` lets it run"),
                    Some(Activation::All) => "it is active".into(),
                    Some(Activation::Canary(percent)) => format!("it is used for {percent} % of the jobs"),
                };
                format!("{name} version {version} {known}; {active}.")
            }
        }
    }

    fn json(&self, ending: &Ending) -> Value {
        let Candidate { handler, parts, metadata, .. } = self.candidate;
        let metadata = metadata.as_ref().and_then(|text| serde_json::from_str::<Value>(text.as_str()).ok());
        let (version, is_new, activated, canary, published) = match ending {
            Ending::DryRun => (None, None, false, None, None),
            Ending::Published(reference) => (None, None, false, None, Some(reference)),
            Ending::Pushed(pushed, activation) => {
                let canary = match activation {
                    Some(Activation::Canary(percent)) => Some(*percent),
                    _ => None,
                };
                (Some(&pushed.version), Some(pushed.is_new), activation.is_some(), canary, None)
            }
        };
        json!({
            "handler": handler.name,
            "version": version,
            "is_new": is_new,
            "activated": activated,
            "canary_percent": canary,
            "published": published,
            "digest": handler.digest,
            "component_bytes": parts.component.len(),
            "grants": handler.settings.grants.written(),
            "signed": parts.signature.is_some(),
            "source": self.source,
            "schemas": self.schemas(),
            "metadata": metadata,
        })
    }
}
