mod exchange;
mod url;

use crate::{Error, Result, json};
use exchange::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Requests to other services. Needs `http = ["api.example.com"]` under `[grants]`, which names the hosts.
///
/// ```no_run
/// # use flowmonkey::{Context, Request, Result, Value, json};
/// # fn example(ctx: &Context) -> Result<()> {
/// let mail = Request::post("https://api.example.com/mails")
///     .header("idempotency-key", ctx.idempotency_key())
///     .json(&json!({ "to": "ada@example.com" }))?;
/// let response = ctx.http().send(mail)?;
/// let answer: Value = response.json()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Http(pub(crate) ());

impl Http {
    /// Sends a request and reads the whole response, of whatever status. Redirects are not followed.
    ///
    /// An attempt may send `http-requests` (100); bodies have at most `http-request-bytes` and
    /// `http-response-bytes` (8 MiB), and all of it takes at most `http-timeout` (30 s).
    ///
    /// # Errors
    /// - `DENIED`, fatal: the handler has no grant for the host, or its address is a private one.
    /// - `INVALID`, fatal: that is no URL of `http://` or `https://`, or a header that cannot be sent.
    /// - `HTTP_FAILED`, retryable: anything else that kept the response away.
    pub fn send(&self, request: Request) -> Result<Response> {
        exchange::exchange(&request).map_err(|failure| {
            let what = format_args!("{} {}", request.method, request.url);
            match failure {
                Failure::Denied(why) => Error::fatal("DENIED", format_args!("{what}: {why}")),
                Failure::Invalid(why) => Error::fatal("INVALID", format_args!("{what}: {why}")),
                Failure::Failed(why) => Error::retryable("HTTP_FAILED", format_args!("{what}: {why}")),
            }
        })
    }
}

/// A request to be.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    /// A request of any method but `CONNECT` and `TRACE`, without headers and body. The URL begins with
    /// `https://` or `http://`.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Request { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A `GET` request.
    pub fn get(url: impl Into<String>) -> Self {
        Request::new("GET", url)
    }

    /// A `POST` request.
    pub fn post(url: impl Into<String>) -> Self {
        Request::new("POST", url)
    }

    /// A `PUT` request.
    pub fn put(url: impl Into<String>) -> Self {
        Request::new("PUT", url)
    }

    /// A `PATCH` request.
    pub fn patch(url: impl Into<String>) -> Self {
        Request::new("PATCH", url)
    }

    /// A `DELETE` request.
    pub fn delete(url: impl Into<String>) -> Self {
        Request::new("DELETE", url)
    }

    /// Adds a header. `Host` and what concerns the connection alone are the host's.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body. `Content-Length` follows from it.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a body of JSON, and its `Content-Type`.
    ///
    /// # Errors
    /// `INVALID`, fatal, for a value that has no JSON.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Result<Self> {
        Ok(self.header("content-type", "application/json").body(json::write(value)?))
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Response {
    /// The status, such as 200.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is from 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of a name, in whatever case; what is no UTF-8 in it is replaced.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers, with their names in lower case; what is no UTF-8 in values is replaced.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value)))
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; what is no UTF-8 in it is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// `HTTP_FAILED`, retryable: it is no JSON, or no `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = format_args!("the response's body, of status {}: {error}", self.status);
            Error::retryable("HTTP_FAILED", what)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_in_whatever_case() {
        let headers = [("retry-after", &b"5"[..]), ("x", b"\xff"), ("x", b"second")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let response = Response { status: 429, headers, body: b"[1]".into() };
        assert_eq!(response.header("Retry-After").as_deref(), Some("5"));
        assert_eq!(response.header("x").as_deref(), Some("\u{fffd}"));
        assert_eq!(response.header("y"), None);
        assert_eq!((response.is_success(), response.json::<Vec<u8>>().unwrap()), (false, vec![1]));
        assert_eq!(response.json::<String>().unwrap_err().code(), "HTTP_FAILED");
    }

    #[test]
    fn a_request_is_put_together() {
        let request = Request::post("http://a/").header("a", "b").json("c").unwrap();
        let headers = [("a", "b"), ("content-type", "application/json")];
        assert_eq!(request.headers, headers.map(|(name, value)| (name.to_owned(), value.into())));
        assert_eq!((request.method.as_str(), request.body.as_slice()), ("POST", &b"\"c\""[..]));
    }
}
