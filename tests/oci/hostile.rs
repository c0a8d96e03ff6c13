//! Registries that mean no good, or have a bad day.

mod answers;
mod blobs;
mod door;
mod elsewhere;
mod secure;

use flowmonkey_tests::registry::digest_of;
use flowmonkey_tests::server::Reply;
use serde_json::json;

/// What one path answers, whatever the method.
pub(crate) struct Page(&'static str, Box<dyn Fn() -> Reply + Send + Sync>);

/// Answers as the first page whose path the request line holds.
pub(crate) fn pages(pages: Vec<Page>) -> impl Fn(&str) -> Reply + Send + Sync + 'static {
    move |request| {
        let line = request.lines().next().unwrap_or_default();
        let page = pages.iter().find(|page| line.contains(page.0));
        page.map_or_else(|| status("404 Not Found", ""), |page| page.1())
    }
}

pub(crate) fn page(path: &'static str, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Page {
    Page(path, Box::new(reply))
}

pub(crate) fn status(status: &str, body: &str) -> Reply {
    headed(status, "", body)
}

/// With headers, each with its line's end.
pub(crate) fn headed(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Whole(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}"))
}

/// A manifest of a handler whose component has such a digest and so many bytes.
pub(crate) fn manifest(digest: &str, size: usize) -> String {
    let config = json!({
        "mediaType": "application/vnd.wasm.config.v0+json", "digest": digest_of(b"{}"), "size": 2,
    });
    let layer = json!({ "mediaType": "application/wasm", "digest": digest, "size": size });
    json!({ "schemaVersion": 2, "config": config, "layers": [layer] }).to_string()
}
