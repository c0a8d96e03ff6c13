//! Handlers in OCI registries: published to them and fetched from them, in the format that the Wasm ecosystem
//! shares. A registry is trusted with nothing: what it sends is bounded, and is what its digest says.

mod challenge;
mod credentials;
mod error;
mod format;
mod idle;
mod reference;
mod session;
mod wire;

pub use error::{OciError, OciProblem};
pub use reference::{InvalidReference, OciReference};

use crate::sandbox::Trust;
use bytes::Bytes;
use format::{Layer, Packed};
use http::{Method, StatusCode, header};
use session::{Call, Session, Wish, complaint, target};
use std::path::PathBuf;
use std::time::Duration;
use wire::{Answer, Wire};

/// How registries are spoken to.
#[derive(Debug, Clone)]
pub struct OciConfig {
    /// The folder with Docker's `config.json`, where logins are; else `$DOCKER_CONFIG`, or `.docker` at home. Without
    /// such a file nobody logs in.
    pub docker_config: Option<PathBuf>,
    /// Certificates to trust beside the ones that browsers trust, in PEM: a company's own authority.
    pub extra_roots_pem: Option<Vec<u8>>,
    /// How long one artifact may take to publish or fetch.
    pub time_max: Duration,
    /// How long nothing may come or go meanwhile.
    pub idle_max: Duration,
}

impl Default for OciConfig {
    fn default() -> Self {
        OciConfig {
            docker_config: None,
            extra_roots_pem: None,
            time_max: Duration::from_secs(120),
            idle_max: Duration::from_secs(30),
        }
    }
}

/// Why registries cannot be spoken to in the way that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("registries: {0}")]
pub struct InvalidOciConfig(String);

/// A handler as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The component's bytes.
    pub component: Vec<u8>,
    /// Its `handler.toml`, as it was written, at most 64 KiB.
    pub manifest: Option<String>,
    /// A signature of the component's digest in Base64, at most 64 KiB. Carried, not checked.
    pub signature: Option<String>,
    /// The JSON Schemas that hold for it, an object with any of `input`, `output` and `config`, at most 64 KiB.
    pub schemas: Option<String>,
}

/// A client of OCI registries. One on this machine is spoken to in the clear, as Docker does; all others over TLS.
pub struct OciRegistry {
    wire: Wire,
    docker_config: Option<PathBuf>,
    time_max: Duration,
}

impl OciRegistry {
    /// A client that has asked nobody anything yet.
    ///
    /// # Errors
    /// When the extra certificates are none.
    pub fn new(config: OciConfig) -> Result<Self, InvalidOciConfig> {
        let trust = Trust::new(config.extra_roots_pem.as_deref()).map_err(InvalidOciConfig)?;
        let wire = Wire { trust, idle_max: config.idle_max };
        Ok(OciRegistry { wire, docker_config: config.docker_config, time_max: config.time_max })
    }

    /// Stores an artifact under the reference's tag, or under `latest`, and returns where it now is, for ever: the
    /// reference pinned by digest. The same artifact has the same digest everywhere.
    ///
    /// # Errors
    /// [`OciError`] says what is wrong and what to do. What was uploaded before stays in the registry, unnamed.
    pub async fn publish(
        &self,
        reference: &OciReference,
        artifact: &Artifact,
    ) -> Result<OciReference, OciError> {
        self.in_time(reference, async {
            if reference.digest().is_some() {
                let why = "an artifact is published under a tag; its digest is what comes of it";
                return Err(OciProblem::Invalid(why.to_owned()));
            }
            let packed = format::pack(artifact)?;
            let mut session = self.session(reference, Wish::Push).await?;
            let component = Bytes::copy_from_slice(&artifact.component);
            store_blob(&mut session, reference, &packed.layer_digest, component).await?;
            store_blob(&mut session, reference, &packed.config_digest, packed.config.clone().into()).await?;
            store_manifest(&mut session, reference, packed).await
        })
        .await
    }

    /// Fetches an artifact whose component has no more than so many bytes, and checks each part by its digest.
    /// Returns it with the reference pinned by the digest of what was found.
    ///
    /// # Errors
    /// [`OciError`] says what is wrong and what to do.
    pub async fn fetch(
        &self,
        reference: &OciReference,
        component_bytes_max: usize,
    ) -> Result<(Artifact, OciReference), OciError> {
        self.in_time(reference, async {
            let mut session = self.session(reference, Wish::Pull).await?;
            let (manifest, digest) = fetch_manifest(&mut session, reference).await?;
            let (mut artifact, layer) = format::unpack(&manifest, component_bytes_max as u64)?;
            artifact.component = fetch_blob(&mut session, reference, &layer).await?;
            Ok((artifact, reference.pinned(digest)))
        })
        .await
    }

    async fn session<'a>(
        &'a self,
        reference: &'a OciReference,
        wish: Wish,
    ) -> Result<Session<'a>, OciProblem> {
        let credential = credentials::find(self.docker_config.clone(), reference.registry()).await?;
        Ok(Session::new(&self.wire, reference, credential, wish))
    }

    async fn in_time<T>(
        &self,
        reference: &OciReference,
        work: impl Future<Output = Result<T, OciProblem>>,
    ) -> Result<T, OciError> {
        let late = |_| OciProblem::Unavailable(format!("it was not done within {:?}", self.time_max));
        let done = tokio::time::timeout(self.time_max, work).await.map_err(late);
        done.flatten().map_err(|problem| OciError { reference: reference.clone(), problem })
    }
}

/// A path of the registry's API: `/v2/REPOSITORY/` and the rest.
fn path(reference: &OciReference, rest: &str) -> String {
    format!("/v2/{}/{rest}", reference.repository())
}

async fn fetch_manifest(
    session: &mut Session<'_>,
    reference: &OciReference,
) -> Result<(Vec<u8>, String), OciProblem> {
    let path = path(reference, &format!("manifests/{}", reference.wanted()));
    let call = Call::new(Method::GET, path).with(header::ACCEPT, format::MANIFEST_TYPES);
    let answer = present(session.call(&call).await?).await?;
    let named = answer.header("docker-content-digest").map(str::to_owned);
    let manifest = answer.read("the manifest", format::MANIFEST_BYTES_MAX).await?;
    let found = format::digest_of(&manifest);
    // By digest we know what we want; by tag, only what the registry itself says it sends.
    let expected = reference.digest().map(str::to_owned).or(named).unwrap_or_else(|| found.clone());
    check_digest("the manifest", expected, &found)?;
    Ok((manifest, found))
}

async fn fetch_blob(
    session: &mut Session<'_>,
    reference: &OciReference,
    layer: &Layer,
) -> Result<Vec<u8>, OciProblem> {
    let call = Call::new(Method::GET, path(reference, &format!("blobs/{}", layer.digest)));
    let answer = present(session.call(&call).await?).await?;
    let component = answer.read("the component", layer.bytes).await?;
    check_digest("the component", layer.digest.clone(), &format::digest_of(&component))?;
    Ok(component)
}

fn check_digest(what: &'static str, expected: String, found: &str) -> Result<(), OciProblem> {
    if expected == found {
        return Ok(());
    }
    Err(OciProblem::WrongDigest { what, expected: error::quoted(&expected), found: found.to_owned() })
}

/// The answer, if what was asked for is there.
async fn present(answer: Answer) -> Result<Answer, OciProblem> {
    match answer.head.status {
        StatusCode::NOT_FOUND => Err(OciProblem::NotFound(complaint(answer).await)),
        StatusCode::OK => Ok(answer),
        status => Err(OciProblem::Protocol(format!("{status} to a read"))),
    }
}

async fn store_blob(
    session: &mut Session<'_>,
    reference: &OciReference,
    digest: &str,
    bytes: Bytes,
) -> Result<(), OciProblem> {
    let there = Call::new(Method::HEAD, path(reference, &format!("blobs/{digest}")));
    if session.call(&there).await?.head.status.is_success() {
        return Ok(());
    }
    let begin = Call::new(Method::POST, path(reference, "blobs/uploads/"));
    let answer = written(session.call(&begin).await?, StatusCode::ACCEPTED).await?;
    let location = answer.header("location").unwrap_or_default();
    let (to, place) = target(reference.origin(), location)?;
    if to != *reference.origin() {
        let why = format!("it wants an upload elsewhere, at {}", error::quoted(location));
        return Err(OciProblem::Protocol(why));
    }
    let joint = if place.contains('?') { '&' } else { '?' };
    let put = Call::new(Method::PUT, format!("{place}{joint}digest={digest}"));
    let put = Call { body: bytes, ..put.with(header::CONTENT_TYPE, "application/octet-stream") };
    written(session.call(&put).await?, StatusCode::CREATED).await.map(drop)
}

async fn store_manifest(
    session: &mut Session<'_>,
    reference: &OciReference,
    packed: Packed,
) -> Result<OciReference, OciProblem> {
    let digest = format::digest_of(&packed.manifest);
    let put = Call::new(Method::PUT, path(reference, &format!("manifests/{}", reference.tag_or_default())));
    let put = put.with(header::CONTENT_TYPE, format::MANIFEST_TYPE);
    let answer = session.call(&Call { body: packed.manifest.into(), ..put }).await?;
    let answer = written(answer, StatusCode::CREATED).await?;
    let named = answer.header("docker-content-digest").unwrap_or(&digest).to_owned();
    check_digest("the manifest", digest.clone(), &named)?;
    Ok(reference.pinned(digest))
}

/// The answer, if it is the one that the specification has for a write that was done.
async fn written(answer: Answer, wanted: StatusCode) -> Result<Answer, OciProblem> {
    match answer.head.status {
        status if status == wanted => Ok(answer),
        StatusCode::NOT_FOUND => Err(OciProblem::NotFound(complaint(answer).await)),
        status => Err(OciProblem::Protocol(format!("{status} to a write, instead of {wanted}"))),
    }
}
