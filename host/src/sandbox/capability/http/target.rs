//! From what a guest asks for to where it goes: one origin, and a request line that says the same.

use super::failure::Failure;
use crate::sandbox::grants::{Origin, Scheme, is_name};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use std::net::{Ipv4Addr, Ipv6Addr};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error};

/// Header fields of a request, or of a response.
pub(super) const HEADERS_MAX: usize = 100;

/// What a guest sets neither in requests nor sees in responses: what concerns one connection, the proxies
/// on the way, and `Host`, which follows from the origin. `Expect` would have the server wait for a body
/// that comes anyway.
pub(super) fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || [header::EXPECT, header::TE].contains(name)
        || name.as_str().starts_with("proxy-")
}

/// The origin of a request. A request without a scheme is https.
pub(super) fn origin(uri: &Uri) -> Result<Origin, Failure> {
    let scheme = match uri.scheme_str() {
        Some("https") | None => Scheme::Https,
        Some("http") => Scheme::Http,
        Some(_) => return Err(Failure::uri("the scheme is http or https")),
    };
    // Neither user nor password may be there, so that none is ever logged.
    let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port {
        None => scheme.default_port(),
        Some(port) => number(port).ok_or_else(|| Failure::uri("the port is no number from 1 to 65535"))?,
    };
    let host = canonical(host).ok_or_else(|| Failure::uri("the host is no name and no address"))?;
    Ok(Origin { scheme, host, port })
}

/// Digits alone: the standard library would take a sign.
fn number(port: &str) -> Option<u16> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port > 0)
}

/// A name in lower case, or an address in its one spelling. Resolvers read `127.1`, `0x7f.1` and
/// `2130706433` as addresses as well: a host that ends in a number is an address or nothing, as in the
/// URL standard.
fn canonical(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse().ok().map(|address: Ipv6Addr| address.to_string());
    }
    let host = host.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    let hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ends_in_a_number =
        last.bytes().all(|byte| byte.is_ascii_digit()) || last.strip_prefix("0x").is_some_and(hex);
    if ends_in_a_number {
        return host.parse().ok().map(|address: Ipv4Addr| address.to_string());
    }
    is_name(&host).then_some(host)
}

/// `host:port` as it stands in a URL, without the scheme's own port.
pub(crate) fn authority(origin: &Origin) -> String {
    let host = if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.clone() };
    if origin.port == origin.scheme.default_port() { host } else { format!("{host}:{}", origin.port) }
}

/// The path and query for the request line: never another server's address, never what another reader
/// might take for the end of the line.
pub(super) fn path(uri: &Uri, bytes_max: usize) -> Result<Uri, Failure> {
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
    if path.len() > bytes_max {
        let why = format!("its path has {} bytes, over the limit of {bytes_max}", path.len());
        return Err(Failure::new(Error::HttpRequestUriTooLong, why));
    }
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::uri("the path begins with / and has printable ASCII alone"));
    }
    Uri::builder().path_and_query(path).build().map_err(|_| Failure::uri("the path is none"))
}

/// What a tunnel or a mirror of headers would be good for is nothing that a handler does.
pub(super) fn method(method: &Method) -> Result<(), Failure> {
    if [Method::CONNECT, Method::TRACE].contains(method) {
        let why = format!("the method {method} is not for handlers");
        return Err(Failure::new(Error::HttpRequestMethodInvalid, why));
    }
    Ok(())
}

/// The header fields as they are sent, with the one `Host` that the origin has.
pub(super) fn headers(headers: &mut HeaderMap, origin: &Origin, bytes_max: usize) -> Result<(), Failure> {
    let forbidden: Vec<HeaderName> = headers.keys().filter(|name| is_forbidden(name)).cloned().collect();
    forbidden.iter().for_each(|name| drop(headers.remove(name)));
    let host = HeaderValue::try_from(authority(origin)).map_err(|_| Failure::uri("the host is no name"))?;
    headers.insert(header::HOST, host);
    let (count, bytes) = (headers.len(), bytes(headers));
    if count > HEADERS_MAX {
        let why = format!("it has {count} header fields, over the limit of {HEADERS_MAX}");
        return Err(Failure::new(Error::HttpRequestHeaderSectionSize(None), why));
    }
    if bytes > bytes_max {
        let why = format!("its headers have {bytes} bytes, over the limit of {bytes_max}");
        return Err(Failure::new(Error::HttpRequestHeaderSectionSize(u32::try_from(bytes).ok()), why));
    }
    Ok(())
}

/// Names, values, and what stands between them.
pub(super) fn bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, String> {
        let uri: Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let origin = origin(&uri).map_err(|failure| failure.why)?;
        Ok(format!("{}|{}|{}", origin.scheme.as_str(), origin.host, origin.port))
    }

    #[test]
    fn an_origin_has_one_spelling() {
        for (text, expected) in [
            ("https://api.example.com/x", "https|api.example.com|443"),
            ("https://API.Example.COM:443/", "https|api.example.com|443"),
            ("http://a_b.example:8080/", "http|a_b.example|8080"),
            ("https://127.0.0.1/", "https|127.0.0.1|443"),
            ("http://[0:0:0:0:0:0:0:1]:80/", "http|::1|80"),
            ("http://[::FFFF:127.0.0.1]/", "http|::ffff:127.0.0.1|80"),
            ("http://0xyz.example/", "http|0xyz.example|80"),
        ] {
            assert_eq!(of(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "https://user@api.example.com/",
            "https://api.example.com@evil.example/",
            "https://api.example.com:x/",
            "https://api.example.com:0/",
            "https://api.example.com:99999/",
            "https://api.example.com:+443/",
            "https://api.example.com:/",
            "https://api.example.com./",
            "https://api..example.com/",
            "https://api%2eexample.com/",
            "https://grüße.example/",
            "https://api.example.com:443:80/",
            "http://127.1/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://0x7f.0.0.1/",
            "http://0x7f.1/",
            "http://127.0.0.0x1/",
            "http://127.0.0.1./",
            "http://1.2.3/",
            "http://[fe80::1%25eth0]/",
            "http://[fe80::1%eth0]/",
            "http://[127.0.0.1]/",
            "http://[::1/",
            "http://::1/",
            "ftp://api.example.com/",
            "file:///etc/passwd",
        ] {
            assert!(of(text).is_err(), "{text}: {:?}", of(text));
        }
    }

    #[test]
    fn the_request_line_names_a_path_alone() {
        let path = |text: &str| path(&text.parse().unwrap(), 100).map(|uri| uri.to_string());
        assert_eq!(path("https://a.test").unwrap(), "/");
        assert_eq!(path("https://a.test?q").unwrap(), "/?q");
        assert_eq!(path("https://a.test/x%20y?q=1#f").unwrap(), "/x%20y?q=1");
        assert!(path("*").is_err());
        assert!(path(&format!("https://a.test/{}", "x".repeat(100))).is_err());
    }

    #[test]
    fn host_is_the_origins_and_what_concerns_a_connection_is_gone() {
        let origin = |text: &str| origin(&text.parse().unwrap()).unwrap();
        let mut map = HeaderMap::new();
        for name in ["host", "connection", "te", "expect", "proxy-anything", "upgrade", "transfer-encoding"] {
            map.append(HeaderName::from_static(name), HeaderValue::from_static("evil"));
        }
        map.append("host", HeaderValue::from_static("evil.example"));
        map.append("x-own", HeaderValue::from_static("kept"));
        headers(&mut map, &origin("https://[::1]:8443"), 1000).unwrap();
        assert_eq!(
            (map.len(), &map["host"], &map["x-own"]),
            (2, &"[::1]:8443".parse().unwrap(), &"kept".parse().unwrap())
        );
        assert_eq!(authority(&origin("http://a.test:80")), "a.test");
        assert_eq!(authority(&origin("https://a.test:80")), "a.test:80");
        assert!(headers(&mut map, &origin("https://a.test"), 20).is_err());
    }
}
