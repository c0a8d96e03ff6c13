//! The format that the ecosystem keeps components in: an OCI manifest with a configuration of the media type
//! `application/vnd.wasm.config.v0+json` and one layer `application/wasm`.

use super::Artifact;
use super::error::{OciProblem, quoted};
use super::reference::is_digest;
use crate::catalog::digest;
use crate::sandbox::{Format, inspect};
use std::collections::BTreeMap;

pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// What is asked for: what we take, and what else may stand there, to say what it is.
pub(super) const MANIFEST_TYPES: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";
/// What the distribution specification lets a manifest have.
pub(super) const MANIFEST_BYTES_MAX: u64 = 4 << 20;
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const LAYER_TYPE: &str = "application/wasm";
/// The handler's `handler.toml`.
const HANDLER_MANIFEST: &str = "dev.flowmonkey.handler.manifest";
/// The signature of the component's digest, in Base64.
const HANDLER_SIGNATURE: &str = "dev.flowmonkey.handler.signature";
/// The JSON Schemas that hold for it: an object with any of `input`, `output` and `config`.
const HANDLER_SCHEMAS: &str = "dev.flowmonkey.handler.schemas";
/// What each of them may have.
const ANNOTATION_BYTES_MAX: usize = 64 * 1024;
/// The format wants a moment, and the same artifact the same digest.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What is to be stored, and under which digests.
pub(super) struct Packed {
    pub(super) manifest: Vec<u8>,
    pub(super) config: Vec<u8>,
    pub(super) config_digest: String,
    pub(super) layer_digest: String,
}

/// The layer of a manifest, whose bytes are still to be fetched.
pub(super) struct Layer {
    pub(super) digest: String,
    pub(super) bytes: u64,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'a str,
    config: Descriptor<'a>,
    layers: [Descriptor<'a>; 1],
    annotations: BTreeMap<&'a str, String>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: &'a str,
    size: usize,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'a str,
    architecture: &'a str,
    os: &'a str,
    layer_digests: [&'a str; 1],
    component: Component,
}

#[derive(serde::Serialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
}

/// What a `handler.toml` says of itself that catalogs of registries show.
#[derive(Default, serde::Deserialize)]
struct Labels {
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
}

/// `sha256:` and 64 digits.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", digest(bytes))
}

/// Lays an artifact out, always in the same way.
///
/// # Errors
/// When it is no component, or what goes with it is too large or no TOML.
pub(super) fn pack(artifact: &Artifact) -> Result<Packed, OciProblem> {
    let looked_at = inspect(&artifact.component);
    if looked_at.format != Format::Component {
        let why = format!("what is to be published is {}, no component", looked_at.format);
        return Err(OciProblem::Invalid(why));
    }
    let annotations = annotations(artifact)?;
    let layer_digest = digest_of(&artifact.component);
    let component = Component { exports: looked_at.exports.kept, imports: looked_at.imports.kept };
    let layer_digests = [layer_digest.as_str()];
    let config = Config { created: CREATED, architecture: "wasm", os: "wasip2", layer_digests, component };
    let config = json(&config)?;
    let config_digest = digest_of(&config);
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST_TYPE,
        config: Descriptor { media_type: CONFIG_TYPE, digest: &config_digest, size: config.len() },
        layers: [Descriptor {
            media_type: LAYER_TYPE,
            digest: &layer_digest,
            size: artifact.component.len(),
        }],
        annotations,
    };
    let manifest = json(&manifest)?;
    Ok(Packed { manifest, config, config_digest, layer_digest })
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, OciProblem> {
    serde_json::to_vec(value).map_err(|error| OciProblem::Invalid(format!("it cannot be written: {error}")))
}

fn annotations(artifact: &Artifact) -> Result<BTreeMap<&'static str, String>, OciProblem> {
    let mut annotations = BTreeMap::new();
    if let Some(manifest) = &artifact.manifest {
        let labels: Result<Labels, _> = toml::from_str(manifest);
        let labels = labels.map_err(|error| OciProblem::Invalid(format!("handler.toml: {error}")))?;
        let labels = [
            ("org.opencontainers.image.title", labels.name),
            ("org.opencontainers.image.version", labels.version),
            ("org.opencontainers.image.description", labels.description),
        ];
        annotations.extend(labels.into_iter().filter_map(|(key, label)| Some((key, label?))));
        annotations.insert(HANDLER_MANIFEST, bounded("handler.toml", manifest)?);
    }
    if let Some(signature) = &artifact.signature {
        annotations.insert(HANDLER_SIGNATURE, bounded("the signature", signature)?);
    }
    if let Some(schemas) = &artifact.schemas {
        annotations.insert(HANDLER_SCHEMAS, bounded("the schemas", schemas)?);
    }
    Ok(annotations)
}

fn bounded(what: &str, text: &str) -> Result<String, OciProblem> {
    if text.len() > ANNOTATION_BYTES_MAX {
        let (bytes, max) = (text.len() as u64, ANNOTATION_BYTES_MAX as u64);
        return Err(OciProblem::TooLarge { what: what.to_owned(), bytes, max });
    }
    Ok(text.to_owned())
}

/// A manifest of any kind, as it was found.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    media_type: Option<String>,
    config: Option<FoundDescriptor>,
    layers: Option<Vec<FoundDescriptor>>,
    manifests: Option<serde::de::IgnoredAny>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundDescriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// Reads a manifest: the artifact without its component, and where that is.
///
/// # Errors
/// When it is none of a handler, or more than one may have.
pub(super) fn unpack(manifest: &[u8], component_bytes_max: u64) -> Result<(Artifact, Layer), OciProblem> {
    let found: Result<Found, _> = serde_json::from_slice(manifest);
    let found = found.map_err(|error| OciProblem::Protocol(format!("its manifest is none: {error}")))?;
    let layers = found.layers.unwrap_or_default();
    let is_handler = found.config.as_ref().is_some_and(|config| config.media_type == CONFIG_TYPE);
    let layer = match layers.as_slice() {
        [layer] if is_handler && layer.media_type == LAYER_TYPE => layer,
        _ => {
            let kind = if found.manifests.is_some() {
                "an index of several artifacts".to_owned()
            } else {
                described(found.media_type.as_deref(), found.config.as_ref(), &layers)
            };
            return Err(OciProblem::NotHandler(kind));
        }
    };
    if !is_digest(&layer.digest) {
        let why = format!("its manifest names the layer {}, which is no SHA-256", quoted(&layer.digest));
        return Err(OciProblem::Protocol(why));
    }
    if layer.size > component_bytes_max {
        let (what, max) = ("the component".to_owned(), component_bytes_max);
        return Err(OciProblem::TooLarge { what, bytes: layer.size, max });
    }
    let mut annotations = found.annotations.unwrap_or_default();
    let mut annotation = |key: &str| annotations.remove(key).map(|text| bounded(key, &text)).transpose();
    let (manifest, signature) = (annotation(HANDLER_MANIFEST)?, annotation(HANDLER_SIGNATURE)?);
    let schemas = annotation(HANDLER_SCHEMAS)?;
    let artifact = Artifact { component: Vec::new(), manifest, signature, schemas };
    Ok((artifact, Layer { digest: layer.digest.clone(), bytes: layer.size }))
}

/// What somebody sees at once: a container image, say.
fn described(
    media_type: Option<&str>,
    config: Option<&FoundDescriptor>,
    layers: &[FoundDescriptor],
) -> String {
    const LAYERS_SHOWN: usize = 3;
    let config = config.map_or("", |config| config.media_type.as_str());
    let kind = match config {
        "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json" => {
            "a container image".to_owned()
        }
        CONFIG_TYPE => "WebAssembly in another form".to_owned(),
        "" => format!("a {} without configuration", quoted(media_type.unwrap_or("manifest"))),
        other => format!("an artifact with the configuration {}", quoted(other)),
    };
    let shown: Vec<String> =
        layers.iter().take(LAYERS_SHOWN).map(|layer| quoted(&layer.media_type)).collect();
    let more = if layers.len() > LAYERS_SHOWN { ", …" } else { "" };
    match shown.is_empty() {
        true => format!("{kind} without layers"),
        false => format!("{kind} with {} layer(s): {}{more}", layers.len(), shown.join(", ")),
    }
}
