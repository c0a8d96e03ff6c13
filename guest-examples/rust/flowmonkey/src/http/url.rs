/// The parts of a URL that a request is made of. What is in them the host checks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    pub(super) encrypted: bool,
    /// Host and port.
    pub(super) authority: &'a str,
    pub(super) path_and_query: String,
}

/// The parts of an absolute URL of `http` or `https`; a fragment is left out, as servers never see it.
pub(super) fn parse(url: &str) -> Option<Url<'_>> {
    let (url, _) = url.split_once('#').unwrap_or((url, ""));
    let (scheme, rest) = url.split_once("://")?;
    let encrypted = scheme.eq_ignore_ascii_case("https");
    if !encrypted && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if path.starts_with('/') { "" } else { "/" };
    (!authority.is_empty()).then(|| Url { encrypted, authority, path_and_query: format!("{slash}{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_an_authority_and_a_path() {
        for (url, encrypted, authority, path_and_query) in [
            ("https://api.example.com", true, "api.example.com", "/"),
            ("HTTP://a.example:8080/b/c?d=e/f#g?h", false, "a.example:8080", "/b/c?d=e/f"),
            ("https://a.example?b=c", true, "a.example", "/?b=c"),
            ("https://a.example#/b", true, "a.example", "/"),
            ("http://[::1]:80/?u=http://b", false, "[::1]:80", "/?u=http://b"),
        ] {
            let path_and_query = path_and_query.to_owned();
            assert_eq!(parse(url), Some(Url { encrypted, authority, path_and_query }), "{url}");
        }
    }

    #[test]
    fn what_is_none_is_none() {
        for url in ["", "api.example.com/a", "/a", "ftp://a/", "https:///a", "https://", "://a", "https:a"] {
            assert_eq!(parse(url), None, "{url}");
        }
    }
}
