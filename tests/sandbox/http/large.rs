//! Too much of something, each with the most that may be.

use super::server::{Reply, Server, ok};
use super::world::{answer, answers, error, grants, limits, sending, to, with};
use crate::rig::Run;
use flowmonkey_jobs::sandbox::Limits;
use serde_json::{Value, json};

async fn limited(server: &Server, limits: Limits, request: Value) -> (Value, Vec<String>) {
    let grants = grants(&[&format!("http://127.0.0.1:{}", server.port)]);
    let run = Run { limits, ..sending(grants, json!([request])) };
    (answers(&run).await[0].clone(), run.host.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_has_so_many_requests() {
    let server = Server::start(|_| ok("")).await;
    let grants = grants(&[&format!("http://127.0.0.1:{}", server.port)]);
    let requests: Vec<Value> = (0..4).map(|_| to(server.port, "/")).collect();
    let limits = Limits { http_requests_max: 3, ..limits() };
    let run = Run { limits, ..sending(grants, json!(requests)) };
    let answers = answers(&run).await;
    assert!(answers[..3].iter().all(|answer| answer["status"] == 200), "{answers:?}");
    assert_eq!(error(&answers[3]), "ErrorCode::HttpRequestDenied");
    assert!(run.host.text()[0].contains("3 requests, the limit"), "{:?}", run.host.text());
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_take_turns() {
    let server = Server::start(|_| ok("x")).await;
    let requests: Vec<Value> = (0..30).map(|_| to(server.port, "/")).collect();
    let run = sending(grants(&[&format!("http://127.0.0.1:{}", server.port)]), json!([]));
    let run = Run { input: json!({"do": "http", "at-once": true, "requests": requests}).to_string(), ..run };
    assert!(answers(&run).await.iter().all(|answer| answer["body"] == "x"));
    assert_eq!(server.requests().len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requests_body_has_a_limit() {
    let server = Server::start(|_| ok("")).await;
    let limits = Limits { http_request_bytes_max: 20_000, ..limits() };
    let post = |more: Value| with(with(to(server.port, "/"), json!({"method": "POST"})), more);
    let (answer, _) = limited(&server, limits, post(json!({"body": 20_000}))).await;
    assert_eq!(answer["status"], 200, "{answer}");
    let (answer, log) = limited(&server, limits, post(json!({"body": 40_000}))).await;
    assert!(error(&answer).starts_with("ErrorCode::HttpRequestBodySize"), "{answer}");
    assert!(log[0].contains("more than 20000 bytes"), "{log:?}");
    let announced = post(json!({"body": 20_001, "headers": [["content-length", "20001"]]}));
    let (answer, _) = limited(&server, limits, announced).await;
    assert_eq!(error(&answer), "ErrorCode::HttpRequestBodySize(Some(20001))");
    assert_eq!(server.requests().len(), 1, "what was too large never came in whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responses_body_has_a_limit() {
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    let server = Server::start(move |request| match request.split(' ').nth(1).unwrap() {
        "/fits" => ok(&"x".repeat(20_000)),
        "/announced" => ok(&"x".repeat(20_001)),
        "/streamed" => {
            Reply::Endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".into(), chunk.clone())
        }
        _ => Reply::Endless("HTTP/1.1 200 OK\r\n\r\n".into(), "y".repeat(1024)),
    })
    .await;
    let limits = Limits { http_response_bytes_max: 20_000, ..limits() };
    let (fits, _) = limited(&server, limits, to(server.port, "/fits")).await;
    assert_eq!((&fits["bytes"], &fits["body-error"]), (&json!(20_000), &Value::Null));
    let (announced, _) = limited(&server, limits, to(server.port, "/announced")).await;
    assert_eq!(error(&announced), "ErrorCode::HttpResponseBodySize(Some(20001))");
    for path in ["/streamed", "/until-closed"] {
        let (streamed, log) = limited(&server, limits, to(server.port, path)).await;
        assert!(streamed["bytes"].as_u64().unwrap() <= 20_000, "{streamed}");
        let said = streamed["body-error"].as_str().unwrap_or_else(|| panic!("{path}: {streamed}"));
        assert!(said.contains("HttpResponseBodySize"), "{said}");
        assert!(log[0].contains("more than 20000 bytes"), "{log:?}");
    }
    server.until(|counts| counts.closed == 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requests_headers_have_a_limit() {
    let server = Server::start(|_| ok("")).await;
    let limits = Limits { http_header_bytes_max: 10_000, ..limits() };
    let fillers = |count: u64, bytes: u64| {
        with(to(server.port, "/"), json!({"filler-headers": count, "filler-bytes": bytes}))
    };
    let (answer, _) = limited(&server, limits, fillers(90, 80)).await;
    assert_eq!(answer["status"], 200, "{answer}");
    for (count, bytes) in [(90, 100), (1, 10_000), (120, 1)] {
        let (answer, _) = limited(&server, limits, fillers(count, bytes)).await;
        assert!(error(&answer).starts_with("ErrorCode::HttpRequestHeaderSectionSize"), "{answer}");
    }
    let (answer, _) = limited(&server, limits, to(server.port, &format!("/{}", "x".repeat(10_000)))).await;
    assert_eq!(error(&answer), "ErrorCode::HttpRequestUriTooLong");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responses_headers_have_a_limit() {
    let head = |count: usize, bytes: usize| {
        let fields: String = (0..count).map(|n| format!("x-{n}: {}\r\n", "y".repeat(bytes))).collect();
        Reply::Whole(format!("HTTP/1.1 200 OK\r\n{fields}content-length: 0\r\n\r\n"))
    };
    let server = Server::start(move |request| match request.split(' ').nth(1).unwrap() {
        "/fits" => head(90, 80),
        "/long" => head(90, 120),
        "/one" => head(1, 11_000),
        "/many" => head(150, 1),
        _ => Reply::Endless("HTTP/1.1 200 OK\r\n".into(), "x-more: yes\r\n".repeat(100)),
    })
    .await;
    let limits = Limits { http_header_bytes_max: 10_000, ..limits() };
    let (fits, _) = limited(&server, limits, to(server.port, "/fits")).await;
    assert_eq!(fits["status"], 200, "{fits}");
    for path in ["/long", "/one", "/many", "/endless"] {
        let (answer, log) = limited(&server, limits, to(server.port, path)).await;
        assert!(
            error(&answer).starts_with("ErrorCode::HttpResponseHeaderSectionSize"),
            "{path}: {answer} {log:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_a_protocol_error() {
    for text in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "",
        "HTTP/1.1 200",
    ] {
        let server = Server::start(move |_| Reply::Whole(text.into())).await;
        let (answer, _) =
            answer(grants(&[&format!("http://127.0.0.1:{}", server.port)]), to(server.port, "/")).await;
        assert!(answer["error"].is_string(), "{text:?}: {answer}");
    }
    for text in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
    ] {
        let server = Server::start(move |_| Reply::Whole(text.into())).await;
        let (answer, _) =
            answer(grants(&[&format!("http://127.0.0.1:{}", server.port)]), to(server.port, "/")).await;
        assert!(
            answer["body-error"].is_string(),
            "a body that is cut short is no whole one: {text:?}: {answer}"
        );
    }
}

/// Header fields live in this process: a guest that hoards them ends, one that makes what it needs goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_cannot_hoard_header_fields() {
    let (sandbox, probe) = super::world::world();
    let limits = Limits { http_header_bytes_max: 10_000, http_requests_max: 10, ..limits() };
    for (count, expected) in [(10, "completed"), (1000, "TRAP")] {
        let input = json!({"do": "hoard-fields", "n": count, "bytes": 10_000});
        let report = Run { limits, ..Run::with(input) }.on(sandbox, probe).await;
        assert_eq!(crate::rig::ending(&report), expected, "{:?}", report.outcome);
    }
}
