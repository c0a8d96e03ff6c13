//! Outgoing HTTP, through the bare bindings: a library would tidy up what the tests want to send.

use serde_json::{Value, json};
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme, http_error_code,
};
use wasip2::io::streams::StreamError;

const CHUNK_BYTES: usize = 4096;

/// The requests one after the other, or all before the first is waited for.
pub(crate) fn requests(input: &Value) -> Value {
    let requests = input["requests"].as_array().unwrap();
    if input["at-once"] == true {
        let sent: Vec<_> = requests.iter().map(|request| (request, send(request))).collect();
        return sent.into_iter().map(|(request, sent)| received(request, sent)).collect();
    }
    requests.iter().map(|request| followed(request.clone())).collect()
}

/// As clients do it: a new request for each redirect, twenty at most.
fn followed(mut request: Value) -> Value {
    for _ in 0..20 {
        let sent = send(&request);
        let answer = received(&request, sent);
        let Some(location) = answer["headers"]["location"].as_str().filter(|_| request["follow"] == true)
        else {
            return answer;
        };
        let (scheme, rest) = location.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        request["scheme"] = json!(scheme);
        request["authority"] = json!(authority);
        request["path"] = json!(format!("/{path}"));
    }
    json!("too many redirects")
}

type Sent = Result<FutureIncomingResponse, Value>;

fn send(input: &Value) -> Sent {
    let text = |name: &str| input[name].as_str();
    let fields = Fields::new();
    for header in input["headers"].as_array().into_iter().flatten() {
        let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
        let appended = fields.append(name, value.as_bytes());
        appended.map_err(|error| json!({"header": format!("{error:?}")}))?;
    }
    for n in 0..input["filler-headers"].as_u64().unwrap_or(0) {
        let value = "x".repeat(input["filler-bytes"].as_u64().unwrap_or(1) as usize);
        let appended = fields.append(&format!("x-filler-{n}"), value.as_bytes());
        appended.map_err(|error| json!({"header": format!("{error:?}")}))?;
    }
    let request = OutgoingRequest::new(fields);
    let set = |part: &str, done: Result<(), ()>| done.map_err(|()| json!({"set": part}));
    set("method", request.set_method(&method(text("method").unwrap_or("GET"))))?;
    set("scheme", request.set_scheme(text("scheme").map(scheme).as_ref()))?;
    set("authority", request.set_authority(text("authority")))?;
    set("path", request.set_path_with_query(text("path")))?;
    let body = (!input["body"].is_null()).then(|| request.body().unwrap());
    let future = outgoing_handler::handle(request, options(input)).map_err(refused)?;
    if let Some(body) = body {
        // What the host says about a body that it cuts off arrives with the response.
        let _ = write(body, &input["body"]);
    }
    Ok(future)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.into()),
    }
}

fn scheme(name: &str) -> Scheme {
    match name {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.into()),
    }
}

fn options(input: &Value) -> Option<RequestOptions> {
    let options = RequestOptions::new();
    let ns = |name: &str| input[name].as_u64().map(|ms| ms * 1_000_000);
    options.set_connect_timeout(ns("connect-ms")).unwrap();
    options.set_first_byte_timeout(ns("first-byte-ms")).unwrap();
    options.set_between_bytes_timeout(ns("between-bytes-ms")).unwrap();
    Some(options)
}

/// A text, or so many bytes; `"hold"` is a body that never ends.
fn write(body: OutgoingBody, content: &Value) -> Result<(), StreamError> {
    let stream = body.write().unwrap();
    if content == "hold" {
        std::mem::forget((stream, body));
        return Ok(());
    }
    let text = content.as_str().map(str::to_owned);
    let bytes = text.unwrap_or_else(|| "x".repeat(content.as_u64().unwrap_or(0) as usize));
    for chunk in bytes.as_bytes().chunks(CHUNK_BYTES) {
        stream.blocking_write_and_flush(chunk)?;
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
    Ok(())
}

fn refused(error: impl std::fmt::Debug) -> Value {
    json!({"error": format!("{error:?}")})
}

fn received(input: &Value, sent: Sent) -> Value {
    let future = match sent {
        Ok(future) => future,
        Err(refused) => return refused,
    };
    if input["abandon"] == true {
        return json!("abandoned");
    }
    future.subscribe().block();
    let response = match future.get().unwrap().unwrap() {
        Ok(response) => response,
        Err(error) => return refused(error),
    };
    let headers = response.headers().entries().into_iter();
    let headers: serde_json::Map<String, Value> =
        headers.map(|(name, value)| (name, json!(String::from_utf8_lossy(&value)))).collect();
    if let Some(ms) = input["pause-ms"].as_u64() {
        monotonic_clock::subscribe_duration(ms * 1_000_000).block();
    }
    let mut answer = json!({"status": response.status(), "headers": headers});
    let body = response.consume().unwrap();
    drop(response);
    read(body, &mut answer, input["read"].as_u64());
    answer
}

/// All of it, or so many bytes.
fn read(body: IncomingBody, answer: &mut Value, most: Option<u64>) {
    let stream = body.stream().unwrap();
    let (mut kept, mut bytes) = (Vec::new(), 0);
    while most.is_none_or(|most| bytes < most) {
        match stream.blocking_read(CHUNK_BYTES as u64) {
            Ok(chunk) => {
                bytes += chunk.len() as u64;
                kept.extend(chunk.into_iter().take(CHUNK_BYTES.saturating_sub(kept.len())));
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                let code = http_error_code(&error).map(|code| format!("{code:?}"));
                answer["body-error"] = json!(code.unwrap_or_else(|| error.to_debug_string()));
                break;
            }
        }
    }
    answer["bytes"] = json!(bytes);
    answer["body"] = json!(String::from_utf8_lossy(&kept));
}

/// Makes header fields, and keeps them, until somebody stops it.
pub(crate) fn hoard_fields(count: u64, bytes: u64) -> Value {
    let value = "x".repeat(bytes as usize).into_bytes();
    let hoard = (0..count).map(|_| Fields::from_list(&[("x-hoard".to_owned(), value.clone())]).unwrap());
    json!(hoard.collect::<Vec<_>>().len())
}
