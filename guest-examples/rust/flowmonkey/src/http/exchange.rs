//! One request and its response over `wasi:http`.

use super::{Request, Response, url};
use crate::wit::imports::wasi::http::outgoing_handler;
use crate::wit::imports::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, HeaderError, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, Scheme, http_error_code,
};
use crate::wit::imports::wasi::io::streams::StreamError;

/// What one call may write.
const CHUNK_BYTES: usize = 4096;
/// What one call may read. The host hands over what it has.
const READ_BYTES: u64 = 64 * 1024;

/// Why there is no response.
pub(super) enum Failure {
    Denied(String),
    Invalid(String),
    Failed(String),
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => Failure::Denied(name(&code)),
            _ => Failure::Failed(name(&code)),
        }
    }
}

pub(super) fn exchange(request: &Request) -> Result<Response, Failure> {
    let outgoing = outgoing(request)?;
    let body = if request.body.is_empty() { None } else { outgoing.body().ok() };
    let future = outgoing_handler::handle(outgoing, None)?;
    // A server may answer and close before it has read everything. So what counts is the response, and
    // where there is none, its error says why.
    if let Some(body) = body {
        write(body, &request.body);
    }
    let incoming = wait(&future)?;
    let status = incoming.status();
    let headers = incoming.headers().entries();
    Ok(Response { status, headers, body: read(&incoming)? })
}

fn outgoing(request: &Request) -> Result<OutgoingRequest, Failure> {
    let invalid = |why: &str| Failure::Invalid(why.to_owned());
    let url = url::parse(&request.url).ok_or_else(|| invalid("a URL begins with https:// or http://"))?;
    let headers = headers(request)?;
    let scheme = if url.encrypted { Scheme::Https } else { Scheme::Http };
    let outgoing = OutgoingRequest::new(headers);
    outgoing.set_method(&method(&request.method)).map_err(|()| invalid("that is no method"))?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| invalid("that is no scheme"))?;
    outgoing.set_authority(Some(url.authority)).map_err(|()| invalid("that is no host and port"))?;
    outgoing
        .set_path_with_query(Some(&url.path_and_query))
        .map_err(|()| invalid("the path or the query has a character that must be %-encoded"))?;
    Ok(outgoing)
}

fn headers(request: &Request) -> Result<Fields, Failure> {
    let fields = Fields::new();
    let add = |name: &str, value: &[u8]| {
        fields.append(name, value).map_err(|error| {
            let why = match error {
                HeaderError::Forbidden => "is the host's to set",
                HeaderError::InvalidSyntax | HeaderError::Immutable => {
                    "has a character that headers cannot have"
                }
            };
            Failure::Invalid(format!("the header {name:?} {why}"))
        })
    };
    for (name, value) in &request.headers {
        add(name, value)?;
    }
    let is_length = |(name, _): &(String, _)| name.eq_ignore_ascii_case("content-length");
    if !request.body.is_empty() && !request.headers.iter().any(is_length) {
        add("content-length", request.body.len().to_string().as_bytes())?;
    }
    Ok(fields)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        _ => Method::Other(name.to_owned()),
    }
}

fn write(body: OutgoingBody, bytes: &[u8]) {
    let Ok(stream) = body.write() else { return };
    let written = bytes.chunks(CHUNK_BYTES).try_for_each(|chunk| stream.blocking_write_and_flush(chunk));
    // A child of the body, which must be gone before it is finished.
    drop(stream);
    if written.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}

fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, Failure> {
    future.subscribe().block();
    match future.get() {
        Some(Ok(response)) => Ok(response?),
        Some(Err(())) | None => Err(Failure::Failed("there was no response".to_owned())),
    }
}

fn read(incoming: &IncomingResponse) -> Result<Vec<u8>, Failure> {
    let taken = |()| Failure::Failed("the body is taken".to_owned());
    let body = incoming.consume().map_err(taken)?;
    let stream = body.stream().map_err(taken)?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(more) => bytes.extend(more),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = http_error_code(&error);
                return Err(code.map_or_else(|| Failure::Failed(error.to_debug_string()), Failure::from));
            }
        }
    }
}

/// The code's name in the standard, such as `connection-refused`, and what it carries.
fn name(code: &ErrorCode) -> String {
    let text = format!("{code:?}");
    let text = text.strip_prefix("ErrorCode::").unwrap_or(&text);
    let (name, carried) = text.split_at(text.find('(').unwrap_or(text.len()));
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab + carried
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_standards_names() {
        for (code, expected) in [
            (ErrorCode::ConnectionRefused, "connection-refused"),
            (ErrorCode::DestinationIpProhibited, "destination-ip-prohibited"),
            (ErrorCode::DnsTimeout, "dns-timeout"),
            (ErrorCode::InternalError(Some("Why".into())), "internal-error(Some(\"Why\"))"),
        ] {
            assert_eq!(name(&code), expected);
        }
    }

    #[test]
    fn what_is_not_allowed_is_no_matter_of_attempts() {
        assert!(matches!(ErrorCode::HttpRequestDenied.into(), Failure::Denied(_)));
        assert!(matches!(ErrorCode::DestinationIpProhibited.into(), Failure::Denied(_)));
        assert!(matches!(ErrorCode::ConnectionTimeout.into(), Failure::Failed(_)));
    }
}
