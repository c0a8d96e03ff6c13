use super::error::OciProblem;
use docker_credential::{CredentialRetrievalError as Failure, DockerCredential, get_credential_from_reader};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

/// A larger configuration is a mistake.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// What Docker calls its own registry in its configuration.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// How one proves to a registry who one is. Never printed, so it is not `Debug`.
pub(super) enum Credential {
    /// A user and a password.
    Login(String, String),
    /// What stands for both, to be changed for a token.
    Identity(String),
}

/// The login that the Docker configuration has for a registry, if any. A program may have to be asked for it,
/// on a thread of its own: one that hangs holds up neither us nor the end of the process.
///
/// # Errors
/// When the configuration is none, or the program it names does not answer.
pub(super) async fn find(folder: Option<PathBuf>, registry: &str) -> Result<Option<Credential>, OciProblem> {
    let Some(folder) = folder.or_else(default_folder) else { return Ok(None) };
    let key = if registry == "docker.io" { DOCKER_HUB_KEY } else { registry }.to_owned();
    let (found, waiting) = oneshot::channel();
    let spawned = std::thread::Builder::new().name("credentials".into()).spawn(move || {
        // Nobody waits any more once the time is up.
        let _ = found.send(look_up(&folder.join("config.json"), &key));
    });
    spawned.map_err(|error| OciProblem::Credentials(format!("no thread to look: {error}")))?;
    let gone = |_| OciProblem::Credentials("the look-up failed".to_owned());
    waiting.await.map_err(gone)?.map_err(OciProblem::Credentials)
}

fn default_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")))
}

fn look_up(path: &Path, key: &str) -> Result<Option<Credential>, String> {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let mut text = Vec::new();
    let opened = std::fs::File::open(path);
    match opened.and_then(|file| file.take(CONFIG_BYTES_MAX + 1).read_to_end(&mut text)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
        Ok(bytes) if bytes as u64 > CONFIG_BYTES_MAX => {
            return Err(wrong(format!("it has more than {CONFIG_BYTES_MAX} bytes")));
        }
        Ok(_) => {}
    }
    match get_credential_from_reader(text.as_slice(), key) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some(Credential::Login(user, password))),
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::Identity(token))),
        Err(Failure::NoCredentialConfigured) => Ok(None),
        // What the programs of Docker say of a registry they do not know.
        Err(Failure::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => Ok(None),
        // What it wrote is not repeated: a secret may be in it.
        Err(Failure::HelperFailure { helper, .. }) => {
            Err(wrong(format!("the program `{helper}` that it names failed; run `docker login` again")))
        }
        Err(Failure::ConfigReadError) => Err(wrong("it is no Docker configuration".to_owned())),
        Err(failure) => Err(wrong(failure.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn written(text: &str) -> (PathBuf, PathBuf) {
        let mut name = String::new();
        write!(name, "flowmonkey-docker-{}", uuid::Uuid::new_v4()).unwrap();
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("config.json");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn found(text: &str, registry: &str) -> Result<Option<String>, String> {
        let (folder, path) = written(text);
        let found = look_up(&path, registry);
        std::fs::remove_dir_all(folder).unwrap();
        found.map(|found| {
            found.map(|credential| match credential {
                Credential::Login(user, password) => format!("{user} {password}"),
                Credential::Identity(token) => token,
            })
        })
    }

    #[test]
    fn a_login_is_for_its_own_registry() {
        let auth =
            r#"{"auths": {"a.example": {"auth": "YWRhOmFiOmM="}, "b.example": {"identitytoken": "t"}}}"#;
        assert_eq!(found(auth, "a.example"), Ok(Some("ada ab:c".to_owned())));
        assert_eq!(found(auth, "b.example"), Ok(Some("t".to_owned())));
        assert_eq!(found(auth, "c.example"), Ok(None));
        assert_eq!(found("{}", "a.example"), Ok(None));
    }

    #[test]
    fn a_configuration_that_is_none_is_not_repeated() {
        for text in ["hunter2", r#"{"auths": {"a.example": {"auth": "hunter2!"}}}"#] {
            let error = found(text, "a.example").unwrap_err();
            assert!(error.contains("config.json") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_told_of() {
        let error = found(r#"{"credsStore": "no-such-program"}"#, "a.example").unwrap_err();
        assert!(error.contains("config.json"), "{error}");
    }
}
