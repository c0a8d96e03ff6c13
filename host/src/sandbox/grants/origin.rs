use std::fmt;
use std::str::FromStr;

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port where none is written.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Where one request goes: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whether it is encrypted.
    pub scheme: Scheme,
    /// A name in lower case, or an address; an IPv6 address without brackets.
    pub host: String,
    /// Always a number, also where the URL has none.
    pub port: u16,
}

/// The origins that a request may go to: `api.example.com` (https, port 443), `*.example.com` (every name
/// below it, not itself), `http://localhost:8080`, `http://localhost:*` (any port), `https://[2001:db8::1]:8443`, `*`
/// (any host).
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct OriginPattern {
    scheme: Scheme,
    host: Host,
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Exact(String),
    /// What a name ends in, with its dot: `.example.com`. The empty suffix is any host.
    Suffix(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Exact(u16),
    Any,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no host to allow: {why}; write api.example.com, *.example.com, http://localhost:8080 \
     or https://host:8443"
)]
pub struct InvalidOrigin {
    text: String,
    why: &'static str,
}

impl OriginPattern {
    /// Any host and port, encrypted or not.
    pub(super) fn anywhere() -> Vec<Self> {
        let any = |scheme| OriginPattern { scheme, host: Host::Suffix(String::new()), port: Port::Any };
        vec![any(Scheme::Https), any(Scheme::Http)]
    }

    /// Whether a request to this origin is meant.
    pub fn matches(&self, origin: &Origin) -> bool {
        let host = match &self.host {
            Host::Exact(host) => *host == origin.host,
            Host::Suffix(suffix) => below(&origin.host, suffix),
        };
        host && self.scheme == origin.scheme && self.port.meet(Port::Exact(origin.port)).is_some()
    }

    /// What both allow, if anything.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        if self.scheme != other.scheme {
            return None;
        }
        let host = match (&self.host, &other.host) {
            (Host::Exact(one), Host::Exact(other)) => (one == other).then(|| Host::Exact(one.clone())),
            (Host::Exact(exact), Host::Suffix(suffix)) | (Host::Suffix(suffix), Host::Exact(exact)) => {
                below(exact, suffix).then(|| Host::Exact(exact.clone()))
            }
            (Host::Suffix(one), Host::Suffix(other)) => {
                let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
                long.ends_with(short.as_str()).then(|| Host::Suffix(long.clone()))
            }
        };
        Some(OriginPattern { scheme: self.scheme, host: host?, port: self.port.meet(other.port)? })
    }
}

impl Port {
    fn meet(self, other: Port) -> Option<Port> {
        match (self, other) {
            (Port::Any, port) | (port, Port::Any) => Some(port),
            (one, other) => (one == other).then_some(one),
        }
    }
}

/// Only `*` alone means addresses too; whoever wants one address names it.
fn below(host: &str, suffix: &str) -> bool {
    suffix.is_empty()
        || host.len() > suffix.len() && host.ends_with(suffix) && host.parse::<std::net::IpAddr>().is_err()
}

impl FromStr for OriginPattern {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let refused = |why| InvalidOrigin { text: text.to_owned(), why };
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(_) => return Err(refused("the scheme is http or https")),
            None => (Scheme::Https, text),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, _)) if host.starts_with('[') && !host.ends_with(']') => (rest, None),
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        };
        let port = match port {
            Some("*") => Port::Any,
            Some(port) => {
                let port = port.parse().ok().filter(|port| *port > 0);
                Port::Exact(port.ok_or_else(|| refused("no such port"))?)
            }
            None => Port::Exact(scheme.default_port()),
        };
        let host = host.to_ascii_lowercase();
        let host = match host.strip_prefix('*') {
            Some("") => Host::Suffix(String::new()),
            Some(suffix) if suffix.starts_with('.') && is_name(&suffix[1..]) => {
                Host::Suffix(suffix.to_owned())
            }
            Some(_) => return Err(refused("a wildcard stands for whole labels at the beginning")),
            None => Host::Exact(exact(&host).ok_or_else(|| refused("that is no host name and no address"))?),
        };
        Ok(OriginPattern { scheme, host, port })
    }
}

/// A name, or an address in its one spelling.
fn exact(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse().ok().map(|address: std::net::Ipv6Addr| address.to_string());
    }
    is_name(host).then(|| host.to_owned())
}

/// Letters, digits, hyphens and underscores in labels; names in other scripts are written in punycode.
pub(in crate::sandbox) fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.len() <= 253 && host.split('.').all(label)
}

impl TryFrom<String> for OriginPattern {
    type Error = InvalidOrigin;

    fn try_from(text: String) -> Result<Self, InvalidOrigin> {
        text.parse()
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        match &self.host {
            Host::Exact(host) if host.contains(':') => write!(f, "[{host}]")?,
            Host::Exact(host) => f.write_str(host)?,
            Host::Suffix(suffix) => write!(f, "*{suffix}")?,
        }
        match self.port {
            Port::Exact(port) if port == self.scheme.default_port() => Ok(()),
            Port::Exact(port) => write!(f, ":{port}"),
            Port::Any => f.write_str(":*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> OriginPattern {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn origin(text: &str) -> Origin {
        let (scheme, rest) = text.split_once("://").unwrap();
        let (host, port) = rest.rsplit_once(':').unwrap();
        let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
        Origin { scheme, host: host.into(), port: port.parse().unwrap() }
    }

    #[test]
    fn patterns_mean_what_they_say_and_no_more() {
        let table = [
            ("api.example.com", "https://api.example.com:443", true),
            ("API.example.com", "https://api.example.com:443", true),
            ("api.example.com", "http://api.example.com:80", false),
            ("api.example.com", "https://api.example.com:8443", false),
            ("api.example.com", "https://api.example.com.evil.test:443", false),
            ("api.example.com", "https://xapi.example.com:443", false),
            ("*.example.com", "https://a.b.example.com:443", true),
            ("*.example.com", "https://example.com:443", false),
            ("*.example.com", "https://evilexample.com:443", false),
            ("https://a.test:8443", "https://a.test:8443", true),
            ("http://localhost:8080", "http://localhost:8080", true),
            ("*", "https://any.test:443", true),
            ("http://127.0.0.1:80", "http://127.0.0.1:80", true),
            ("https://[2001:db8::1]:8443", "https://2001:db8::1:8443", true),
            ("*.0.0.1", "https://127.0.0.1:443", false),
            ("http://localhost:*", "http://localhost:8080", true),
            ("http://localhost:*", "https://localhost:8080", false),
        ];
        for (text, to, expected) in table {
            assert_eq!(pattern(text).matches(&origin(to)), expected, "{text} {to}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_reason() {
        for text in [
            "",
            "https://",
            "ftp://a.test",
            "a.test:0",
            "a.test:99999",
            "a.test:x",
            "a b.test",
            "*a.test",
            "a.*.test",
            "**",
            "*.",
            ".test",
            "a..test",
            "a.test.",
            "a.test/path",
            "u@a.test",
            "[::1",
            "[x]",
            "grüße.test",
            "a.test:8080:1",
            "a.test:**",
        ] {
            let error = text.parse::<OriginPattern>().expect_err(text).to_string();
            assert!(error.contains("write api.example.com"), "{error}");
        }
    }

    #[test]
    fn two_patterns_meet_in_what_both_allow() {
        let table = [
            ("a.test", "a.test", Some("https://a.test")),
            ("a.test", "b.test", None),
            ("a.test", "http://a.test", None),
            ("a.test:1", "a.test:2", None),
            ("a.b.test", "*.test", Some("https://a.b.test")),
            ("*.b.test", "*.test", Some("https://*.b.test")),
            ("*.test", "*.b.test", Some("https://*.b.test")),
            ("*.test", "*.other", None),
            ("*", "*.test:8443", None),
            ("*:8443", "*.test:8443", Some("https://*.test:8443")),
            ("https://[::1]", "*", Some("https://[::1]")),
            ("*.test:*", "a.test:8443", Some("https://a.test:8443")),
            ("*:*", "*.test:*", Some("https://*.test:*")),
        ];
        for (one, other, expected) in table {
            let met = pattern(one).meet(&pattern(other)).map(|met| met.to_string());
            assert_eq!(met.as_deref(), expected, "{one} {other}");
        }
        let anywhere = OriginPattern::anywhere();
        assert_eq!(pattern("http://a.test:99").meet(&anywhere[1]), Some(pattern("http://a.test:99")));
    }
}
