use flowmonkey_jobs::catalog::{Artifact, OciConfig, OciProblem, OciReference, OciRegistry};
use std::time::Duration;
use tempfile::TempDir;

/// More than any component here has.
pub(crate) const BYTES_MAX: usize = 1 << 20;
/// A `config.json` of Docker without logins.
pub(crate) const NOBODY: &str = "{}";

/// A small component with something in it that tells it from others.
pub(crate) fn component(mark: &str) -> Vec<u8> {
    wat::parse_str(format!("(component (core module (memory 1) (data (i32.const 0) \"{mark}\")))")).unwrap()
}

pub(crate) fn artifact(mark: &str) -> Artifact {
    let manifest = "name = 'email-send'\nversion = '1.2'\ndescription = 'Sends mail'\n# \"ü\"\n";
    let signature = Some("c2lnbmF0dXJl".to_owned());
    let schemas = Some(r#"{"input": {"type": "object"}}"#.to_owned());
    Artifact { component: component(mark), manifest: Some(manifest.to_owned()), signature, schemas }
}

/// A client with what `docker login` left behind.
pub(crate) struct Client {
    pub(crate) registry: OciRegistry,
    _folder: TempDir,
}

impl Client {
    pub(crate) fn new(docker_config: &str) -> Self {
        Client::with(docker_config, |config| config)
    }

    pub(crate) fn with(docker_config: &str, change: impl FnOnce(OciConfig) -> OciConfig) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("config.json"), docker_config).unwrap();
        let config = OciConfig { docker_config: Some(folder.path().to_owned()), ..OciConfig::default() };
        Client { registry: OciRegistry::new(change(config)).unwrap(), _folder: folder }
    }

    /// One that waits for nobody.
    pub(crate) fn impatient(idle_max: Duration, time_max: Duration) -> Self {
        Client::with(NOBODY, |config| OciConfig { idle_max, time_max, ..config })
    }

    pub(crate) async fn publish(&self, reference: &str, artifact: &Artifact) -> OciReference {
        self.registry.publish(&parsed(reference), artifact).await.unwrap()
    }

    pub(crate) async fn fetch(&self, reference: &str) -> (Artifact, OciReference) {
        self.registry.fetch(&parsed(reference), BYTES_MAX).await.unwrap()
    }

    pub(crate) async fn not_published(&self, reference: &str, artifact: &Artifact) -> OciProblem {
        self.registry.publish(&parsed(reference), artifact).await.unwrap_err().problem
    }

    pub(crate) async fn not_fetched(&self, reference: &str) -> OciProblem {
        self.registry.fetch(&parsed(reference), BYTES_MAX).await.unwrap_err().problem
    }
}

pub(crate) fn parsed(reference: &str) -> OciReference {
    reference.parse().unwrap()
}

/// What `docker login` leaves behind; `auth` is the user and the password in Base64.
pub(crate) fn login(registry: &str, auth: &str) -> String {
    serde_json::json!({ "auths": { registry: { "auth": auth } } }).to_string()
}
