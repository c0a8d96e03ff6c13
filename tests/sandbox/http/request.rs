//! A request that could be read in two ways is not sent.

use super::server::{Server, ok};
use super::world::{answer, answers, error, grants, name, sending, to, with};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_could_be_read_in_two_ways_is_sent() {
    let server = Server::start(|_| ok("never")).await;
    let port = server.port;
    let of = |field: &str, value: String| {
        let mut request = to(port, "/");
        request[field] = json!(value);
        request
    };
    let header = |name: &str, value: &str| with(to(port, "/"), json!({"headers": [[name, value]]}));
    let mut requests: Vec<Value> = [
        format!("user@127.0.0.1:{port}"),
        format!("user:password@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}@evil.test"),
        format!("127.0.0.1:{port} "),
        format!("127.0.0.1:{port}\r\nx: y"),
        format!("127.0.0.1:{port}/"),
        format!("127.0.0.1.:{port}"),
        format!("127.0.0.%31:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f.0.0.1:{port}"),
        format!("0177.0.0.1:{port}"),
        format!("[::1%25lo]:{port}"),
        format!("127.0.0.1:+{port}"),
        "127.0.0.1:99999".into(),
        "127.0.0.1:".into(),
        String::new(),
    ]
    .map(|authority| of("authority", authority))
    .into();
    let paths =
        ["http://evil.test/", "evil.test/", "*", "/ HTTP/1.1\r\nhost: evil", "/a b", "/\u{e9}", "/\u{7f}"];
    requests.extend(paths.map(|path| of("path", path.into())));
    requests.extend(["ftp", "file", "h2c", "x y"].map(|scheme| of("scheme", scheme.into())));
    requests.extend(["CONNECT", "TRACE", "G ET", "GET\r\n"].map(|method| of("method", method.into())));
    let headers = [
        ("host", "evil.test"),
        ("HOST", "evil.test"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("keep-alive", "timeout=1"),
        ("proxy-authorization", "x"),
        ("proxy-anything", "x"),
        ("te", "trailers"),
        ("expect", "100-continue"),
        ("http2-settings", "x"),
        ("x-own", "a\r\nhost: evil"),
        ("x-own", "a\nb"),
        ("x own", "a"),
        ("x-own:", "a"),
        ("content-length", "+1"),
        ("content-length", "1, 1"),
        ("content-length", "5"),
    ];
    requests.extend(headers.map(|(name, value)| header(name, value)));
    requests
        .push(with(to(port, "/"), json!({"headers": [["content-length", "1"], ["content-length", "1"]]})));
    let run =
        sending(grants(&["http://*", "https://*", &format!("http://127.0.0.1:{port}")]), json!(requests));
    for (request, answer) in requests.iter().zip(answers(&run).await) {
        assert!(answer["status"].is_null(), "{request} got through: {answer}");
    }
    assert_eq!(server.requests(), Vec::<String>::new());
    let log = run.host.text().join("\n");
    assert!(!log.contains("password") && !log.contains('\r'), "{log}");
    // The twin: the same guest, without the trick.
    let (answer, _) = answer(run.grants, to(port, "/")).await;
    assert_eq!(answer["status"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn host_is_the_origin_that_was_checked() {
    let server = Server::start(|_| ok("")).await;
    name("host.test", &[&["127.0.0.1"]]);
    let at = format!("host.test:{}", server.port);
    let request = json!({"scheme": "http", "authority": at.to_uppercase(), "path": "?q"});
    let (answer, _) = answer(grants(&[&format!("http://{at}")]), request).await;
    assert_eq!(answer["status"], 200, "{answer}");
    assert_eq!(server.requests(), [format!("GET /?q HTTP/1.1\r\nhost: {at}\r\n\r\n")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_knows_is_a_dns_error() {
    let request = json!({"scheme": "http", "authority": "unknown.test", "path": "/"});
    let (answer, host) = answer(grants(&["http://unknown.test"]), request).await;
    assert!(error(&answer).starts_with("ErrorCode::DnsError"), "{answer}");
    assert!(host.text()[0].contains("http://unknown.test"), "{:?}", host.text());
}
