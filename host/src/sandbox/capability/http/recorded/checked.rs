use super::RecordedAnswer;
use crate::sandbox::capability::http::target;
use crate::sandbox::grants::Origin;
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Uri};

/// An answer that was checked.
#[derive(Debug)]
pub(super) struct Checked {
    kind: Kind,
    pub(super) head: Parts,
    pub(super) body: Bytes,
}

/// What an answer answers, in one spelling: those of the same kind take turns, and hide each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    url: Pattern,
    method: Option<Method>,
}

#[derive(Debug, PartialEq, Eq)]
enum Pattern {
    Exact(String),
    Beginning(String),
}

impl Checked {
    pub(super) fn of(answer: RecordedAnswer) -> Result<Self, String> {
        let url = answer.url.clone();
        Checked::parse(answer).map_err(|why| format!("the answer for {url:?}: {why}"))
    }

    fn parse(answer: RecordedAnswer) -> Result<Self, String> {
        let RecordedAnswer { url, method, status, headers, body } = answer;
        let mut response = Response::new(());
        *response.status_mut() = Some(status)
            .filter(|status| (200..=599).contains(status))
            .and_then(|status| StatusCode::from_u16(status).ok())
            .ok_or_else(|| format!("the status {status} is not between 200 and 599"))?;
        for (name, value) in &headers {
            let wrong = || format!("the header field {name:?} cannot be sent like this");
            let name = HeaderName::try_from(name).map_err(|_| wrong())?;
            response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(|_| wrong())?);
        }
        let kind = Kind::parse(&url, method.as_deref())?;
        Ok(Checked { kind, head: response.into_parts().0, body: body.into() })
    }

    pub(super) fn fits(&self, method: &Method, url: &str) -> bool {
        let fits = match &self.kind.url {
            Pattern::Exact(exact) => exact == url,
            Pattern::Beginning(beginning) => url.starts_with(beginning),
        };
        fits && self.kind.method.as_ref().is_none_or(|own| own == method)
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl Kind {
    pub(super) fn of(answer: &RecordedAnswer) -> Result<Self, String> {
        Kind::parse(&answer.url, answer.method.as_deref())
    }

    fn parse(url: &str, method: Option<&str>) -> Result<Self, String> {
        let method = method.map(|method| Method::from_bytes(method.to_ascii_uppercase().as_bytes()));
        let method = method.transpose().map_err(|_| "the method is none".to_owned())?;
        Ok(Kind { url: Pattern::parse(url)?, method })
    }
}

impl Pattern {
    /// In the spelling that requests have: a host in lower case, no port that the scheme has anyway, a path.
    fn parse(text: &str) -> Result<Self, String> {
        let (url, is_beginning) = text.strip_suffix('*').map_or((text, false), |url| (url, true));
        let wrong = |why: &str| format!("{why}; write a URL like https://api.example.com/v1/items");
        if !url.contains("://") {
            return Err(wrong("it begins with neither https:// nor http://"));
        }
        let uri: Uri = url.parse().map_err(|_| wrong("that is no URL"))?;
        let origin = target::origin(&uri).map_err(|failure| wrong(&failure.why))?;
        let url = spelled(&origin, &uri);
        Ok(if is_beginning { Pattern::Beginning(url) } else { Pattern::Exact(url) })
    }
}

/// A URL as it is asked for, in one spelling.
pub(super) fn spelled(origin: &Origin, uri: &Uri) -> String {
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{}://{}{slash}{path}", origin.scheme.as_str(), target::authority(origin))
}
