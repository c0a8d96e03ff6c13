use crate::sandbox::{Origin, Scheme, origin_of};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What every reference begins with.
const SCHEME: &str = "oci://";
/// What Docker calls the artifact that nobody named.
const TAG_DEFAULT: &str = "latest";
const REPOSITORY_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;
/// The one registry whose API is not where its name leads.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// An artifact in a registry: `oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`. With a digest it names one
/// artifact for ever, whatever its tag comes to mean; with neither tag nor digest it means the tag `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciReference {
    registry: String,
    origin: Origin,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is no reference. It repeats no text that might hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]")]
pub struct InvalidReference(String);

impl OciReference {
    /// Host and port as they were written: what `docker login` calls the registry.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name within the registry, such as `team/email-send`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, where one was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// `sha256:` and 64 hexadecimal digits, where the reference is pinned.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    pub(super) fn pinned(&self, digest: String) -> Self {
        OciReference { digest: Some(digest), ..self.clone() }
    }

    /// Where the registry listens; without encryption on this machine alone.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What the registry is asked for: the digest, which the tag adds nothing to, or else the tag.
    pub(super) fn wanted(&self) -> &str {
        self.digest.as_deref().unwrap_or_else(|| self.tag_or_default())
    }

    pub(super) fn tag_or_default(&self) -> &str {
        self.tag.as_deref().unwrap_or(TAG_DEFAULT)
    }
}

/// Whether a host is this machine and no other.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback())
}

/// Whether a text is `sha256:` and 64 hexadecimal digits in lower case.
pub(super) fn is_digest(text: &str) -> bool {
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(lower_hex))
}

impl FromStr for OciReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let refused = |why: &str| InvalidReference(why.to_owned());
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| refused("a reference begins with oci://"))?;
        let (registry, path) = rest.split_once('/').ok_or_else(|| refused("it names no repository"))?;
        let (registry, origin) = registry_of(registry)?;
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(digest.to_owned())),
            None => (path, None),
        };
        if digest.as_deref().is_some_and(|digest| !is_digest(digest)) {
            return Err(refused("behind @ stands sha256: and 64 hexadecimal digits in lower case"));
        }
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(refused("a tag has letters, digits, `_`, `.` and `-`, at most 128"));
        }
        if !is_repository(repository) {
            let why = "a repository has parts of lower-case letters and digits, with single `.`, `_` or `-` \
                       between them, separated by /, and at most 255 bytes";
            return Err(refused(why));
        }
        Ok(OciReference { registry, origin, repository: repository.to_owned(), tag, digest })
    }
}

fn registry_of(written: &str) -> Result<(String, Origin), InvalidReference> {
    if written.contains('@') {
        let why = "a reference holds no user and no password; `docker login` keeps them";
        return Err(InvalidReference(why.to_owned()));
    }
    let no_host = || InvalidReference("before the first / stands a host, or a host and a port".to_owned());
    let written = written.to_ascii_lowercase();
    let host = |scheme: Scheme, authority: &str| {
        origin_of(&format!("{}://{authority}/", scheme.as_str()).parse().ok()?)
    };
    let secure = host(Scheme::Https, &written).filter(|_| !written.is_empty()).ok_or_else(no_host)?;
    let origin = match (is_loopback(&secure.host), secure.host == DOCKER_HUB.0) {
        (true, _) => host(Scheme::Http, &written).ok_or_else(no_host)?,
        (false, true) => Origin { host: DOCKER_HUB.1.to_owned(), ..secure },
        (false, false) => secure,
    };
    Ok((written, origin))
}

fn is_tag(tag: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=TAG_BYTES_MAX).contains(&tag.len()) && tag.bytes().all(inner) && !tag.starts_with(['.', '-'])
}

/// As the distribution specification has it: between letters and digits stands `.`, `_`, `__`, or any number
/// of `-`.
fn is_repository(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separator = |text: &str| {
        matches!(text, "." | "_" | "__") || !text.is_empty() && text.bytes().all(|byte| byte == b'-')
    };
    let part = |part: &str| {
        let ends_plain = part.bytes().next().is_some_and(plain) && part.bytes().last().is_some_and(plain);
        let mut between = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        ends_plain && between.all(|between| between.is_empty() || separator(between))
    };
    name.len() <= REPOSITORY_BYTES_MAX && name.split('/').all(part)
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest() -> String {
        format!("sha256:{}", "0a".repeat(32))
    }

    #[test]
    fn what_is_written_is_given_back() {
        let pinned = format!("oci://ghcr.io/team/email-send:1.2@{}", digest());
        for text in [
            "oci://ghcr.io/email-send",
            "oci://registry.example.com:8443/a/b__c/d--e.f:V1_x.y-z",
            "oci://localhost:5000/x",
            "oci://[::1]:5000/x:1",
            &format!("oci://ghcr.io/x@{}", digest()),
            &pinned,
        ] {
            let reference: OciReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
        let reference: OciReference = pinned.parse().unwrap();
        assert_eq!((reference.registry(), reference.repository()), ("ghcr.io", "team/email-send"));
        assert_eq!((reference.tag(), reference.digest()), (Some("1.2"), Some(digest().as_str())));
    }

    #[test]
    fn what_is_none_is_refused_with_its_reason() {
        let digest = digest();
        for (text, why) in [
            ("ghcr.io/x", "begins with oci://"),
            ("oci://ghcr.io", "no repository"),
            ("oci:///x", "a host"),
            ("oci://ghcr.io:0/x", "a host"),
            ("oci://127.1/x", "a host"),
            ("oci://gh cr.io/x", "a host"),
            ("oci://ghcr.io/", "a repository has"),
            ("oci://ghcr.io/X", "a repository has"),
            ("oci://ghcr.io/a//b", "a repository has"),
            ("oci://ghcr.io/a/../b", "a repository has"),
            ("oci://ghcr.io/a___b", "a repository has"),
            ("oci://ghcr.io/a?b", "a repository has"),
            ("oci://ghcr.io/x:", "a tag has"),
            ("oci://ghcr.io/x:-a", "a tag has"),
            ("oci://ghcr.io/x:a/b", "a tag has"),
            ("oci://ghcr.io/x@sha256:00", "64 hexadecimal digits"),
            (&format!("oci://ghcr.io/x@{}", digest.to_uppercase()), "64 hexadecimal digits"),
            (&format!("oci://ghcr.io/x@{digest}:1"), "64 hexadecimal digits"),
        ] {
            let error = text.parse::<OciReference>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let error = "oci://ada:hunter2@ghcr.io/x".parse::<OciReference>().unwrap_err().to_string();
        assert!(error.contains("docker login") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for (text, scheme, port) in [
            ("oci://localhost:5000/x", Scheme::Http, 5000),
            ("oci://127.8.9.1/x", Scheme::Http, 80),
            ("oci://[::1]/x", Scheme::Http, 80),
            ("oci://localhost.example.com:5000/x", Scheme::Https, 5000),
            ("oci://10.0.0.1/x", Scheme::Https, 443),
            ("oci://ghcr.io/x", Scheme::Https, 443),
        ] {
            let reference: OciReference = text.parse().unwrap();
            assert_eq!((reference.origin().scheme, reference.origin().port), (scheme, port), "{text}");
        }
        let hub: OciReference = "oci://docker.io/team/x".parse().unwrap();
        assert_eq!((hub.origin().host.as_str(), hub.registry()), ("registry-1.docker.io", "docker.io"));
    }
}
