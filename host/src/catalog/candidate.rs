//! Whether something is a handler, before anything uses it: the same questions for a folder and for a push.

use super::{
    Catalog, FileProblem, Handler, HandlerFiles, Manifest, Metadata, Policy, Schemas, WrittenSchemas, digest,
};
use crate::job::JsonText;
use crate::sandbox::{Grant, LoadError};
use crate::store::NewVersion;
use std::collections::BTreeSet;

/// A handler's parts as they came, from a folder, a registry or elsewhere.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Its name.
    pub name: String,
    /// Its manifest; the empty one where there is none.
    pub manifest: Manifest,
    /// The manifest as it was written; empty where there is none.
    pub manifest_text: String,
    /// The schemas that the manifest names.
    pub schemas: WrittenSchemas,
    /// The component's bytes.
    pub component: Vec<u8>,
    /// A signature of the component's digest, in Base64.
    pub signature: Option<String>,
}

impl Parts {
    /// Reads the component of a handler that lies in files.
    ///
    /// # Errors
    /// When the component has more bytes than the policy allows this handler, or cannot be read.
    pub fn read(files: HandlerFiles, policy: &Policy) -> Result<Self, FileProblem> {
        let (settings, _) =
            policy.settings(&files.name, &files.manifest, None).map_err(FileProblem::manifest)?;
        let component = files.read_component(settings.limits.component_bytes_max)?;
        let HandlerFiles { name, manifest, manifest_text, schemas, signature, .. } = files;
        Ok(Parts { name, manifest, manifest_text, schemas, component, signature })
    }
}

/// A handler that can be loaded, with what it asks for and what it says of itself.
#[derive(Debug)]
pub struct Candidate {
    /// Compiled, with the settings that it would get.
    pub handler: Handler,
    /// What the manifest or the component calls this version.
    pub version: Option<String>,
    /// What it came from.
    pub parts: Parts,
    /// What `describe` answered, an object.
    pub metadata: Option<JsonText>,
    /// What its manifest asks for and the policy does not allow, as it is written in a manifest.
    pub denied: Vec<String>,
    /// What its component imports and its manifest does not mention: such calls will be denied.
    pub unmentioned: BTreeSet<Grant>,
}

impl Candidate {
    /// Reads, compiles and asks: it is a component that exports `handler` and imports only what there is, its manifest makes
    /// sense under the policy, `describe` answers within limits and contradicts nothing, its schemas can be compiled and
    /// its configuration fits. Changes nothing.
    ///
    /// # Errors
    /// The first thing that keeps it from being a handler.
    pub async fn examine(catalog: &Catalog, parts: Parts, policy: &Policy) -> Result<Self, FileProblem> {
        let (name, manifest) = (parts.name.as_str(), &parts.manifest);
        let (settings, denied) = policy.settings(name, manifest, None).map_err(FileProblem::manifest)?;
        let max = settings.limits.component_bytes_max;
        if parts.component.len() > max {
            return Err(LoadError::TooLarge { bytes: parts.component.len(), max }.into());
        }
        let trusted = policy.signatures.check(&digest(&parts.component), parts.signature.as_deref());
        trusted.map_err(|error| FileProblem::Signature(error.to_string()))?;
        let mut handler =
            catalog.prepare(name, manifest.version(), parts.component.clone(), settings).await?;
        let mut unmentioned = handler.prepared.surface().grants();
        unmentioned.retain(|grant| !manifest.mentions().contains(grant.name()));
        let limits = handler.settings.limits;
        let described = catalog.sandbox().describe(&handler.prepared, &limits).await;
        let described = described.map_err(FileProblem::Describe)?;
        let metadata = described.as_ref().map(Metadata::parse).transpose().map_err(FileProblem::Metadata)?;
        let metadata = metadata.unwrap_or_default();
        if let Some(contradiction) = metadata.contradicts(name, manifest.version()) {
            return Err(FileProblem::Metadata(contradiction));
        }
        let (settings, _) =
            policy.settings(name, manifest, Some(&metadata)).map_err(FileProblem::manifest)?;
        handler.settings = settings;
        let version = manifest.version().map(str::to_owned).or(metadata.version);
        if let Some(version) = &version {
            handler.version.clone_from(version);
        }
        let schemas = Schemas::compile_aside(parts.schemas.clone().over(metadata.schemas)).await;
        handler.schemas = schemas.map_err(FileProblem::Schema)?;
        check_config(&handler)?;
        Ok(Candidate { handler, version, parts, metadata: described, denied, unmentioned })
    }

    /// As the store takes it. It is called what the manifest or the component calls it, else the store numbers it. `source` says
    /// where it came from, such as a pinned OCI reference.
    pub fn to_version(&self, source: Option<String>) -> NewVersion {
        NewVersion {
            handler: self.handler.name.clone(),
            version: self.version.clone(),
            digest: self.handler.digest.clone(),
            component: self.parts.component.clone(),
            manifest: self.parts.manifest_text.clone(),
            metadata: self.metadata.clone(),
            schemas: self.handler.schemas.to_json(),
            signature: self.parts.signature.clone(),
            source,
        }
    }
}

/// Whether what the operator has set fits, as far as the handler may see it.
fn check_config(handler: &Handler) -> Result<(), FileProblem> {
    let keys = handler.settings.grants.config.iter();
    let value = |key: &String| Some((key.clone(), handler.settings.config.get(key)?.to_owned()));
    handler.schemas.check_config(&keys.filter_map(value).collect()).map_err(|violations| {
        let each: Vec<String> = violations.iter().map(ToString::to_string).collect();
        FileProblem::Config(each.join("; "))
    })
}
