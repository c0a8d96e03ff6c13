//! Servers that take their time, or all of it. Nothing here waits longer than the request may.

use super::server::{Reply, Server, ok};
use super::world::{answers, error, grants, limits, sending, to, with};
use crate::rig::Run;
use flowmonkey_jobs::sandbox::Limits;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpListener;

fn run(port: u16, request: Value, most: Duration) -> Run {
    let limits = Limits { http_time_max: most, ..limits() };
    Run {
        limits,
        ..sending(
            grants(&[&format!("http://127.0.0.1:{port}"), &format!("https://127.0.0.1:{port}")]),
            json!([request]),
        )
    }
}

const SOON: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_ends_ends_with_the_requests_time() {
    let server = Server::start(|request| match request.split(' ').nth(1).unwrap() {
        "/silent" => Reply::Hold(String::new()),
        "/half-a-head" => Reply::Hold("HTTP/1.1 200 OK\r\nx-own: 1\r\n".into()),
        "/informational" => Reply::Endless(String::new(), "HTTP/1.1 103 Early\r\n\r\n".into()),
        _ => ok("quick"),
    })
    .await;
    let quick = run(server.port, to(server.port, "/quick"), Duration::from_secs(60));
    assert_eq!(answers(&quick).await[0]["body"], "quick");
    for path in ["/silent", "/half-a-head", "/informational"] {
        let run = run(server.port, to(server.port, path), SOON);
        let answers = answers(&run).await;
        assert_eq!(error(&answers[0]), "ErrorCode::HttpResponseTimeout", "{path}");
        assert!(run.host.text()[0].contains("within 300ms"), "{:?}", run.host.text());
    }
    server.until(|counts| counts.closed == 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_ends_with_the_requests_time() {
    let server = Server::start(|request| match request.split(' ').nth(1).unwrap() {
        "/stalled" => Reply::Hold("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab".into()),
        _ => Reply::Endless(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".into(),
            "1\r\nx\r\n".into(),
        ),
    })
    .await;
    for path in ["/stalled", "/byte-by-byte"] {
        let answers = answers(&run(server.port, to(server.port, path), SOON)).await;
        assert_eq!(answers[0]["status"], 200);
        let said = answers[0]["body-error"].as_str().unwrap_or_else(|| panic!("{path}: {answers:?}"));
        assert!(
            said.contains("HttpResponseTimeout") || said.contains("HttpResponseBodySize"),
            "{path}: {said}"
        );
    }
    server.until(|counts| counts.closed == 2).await;
}

/// The guest's own patience counts where it is shorter.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_may_be_less_patient() {
    let server = Server::start(|request| match request.split(' ').nth(1).unwrap() {
        "/silent" => Reply::Hold(String::new()),
        _ => Reply::Hold("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab".into()),
    })
    .await;
    let long = Duration::from_secs(600);
    let first = with(to(server.port, "/silent"), json!({"first-byte-ms": 50}));
    let answer = &answers(&run(server.port, first, long)).await[0];
    assert_eq!(error(answer), "ErrorCode::ConnectionReadTimeout");
    let between = with(to(server.port, "/stalled"), json!({"between-bytes-ms": 50}));
    let answer = &answers(&run(server.port, between, long)).await[0];
    assert!(answer["body-error"].as_str().unwrap().contains("ConnectionReadTimeout"), "{answer}");
}

/// Takes connections and never reads: neither TLS nor a large body comes to an end by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_reads_ends_with_the_requests_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap().0);
        }
    });
    let handshake = json!({"scheme": "https", "authority": format!("127.0.0.1:{port}"), "path": "/"});
    let answer = &answers(&run(port, handshake, SOON)).await[0];
    assert_eq!(error(answer), "ErrorCode::ConnectionTimeout");
    let post = with(to(port, "/"), json!({"method": "POST", "body": 8_000_000}));
    let answer = &answers(&run(port, post, SOON)).await[0];
    assert_eq!(error(answer), "ErrorCode::HttpResponseTimeout");
    taken.abort();
}

/// A guest that does not read makes the server wait, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_does_not_read_is_not_fetched() {
    let body = "x".repeat(6_000_000);
    let server = Server::start(move |_| ok(&body)).await;
    let request = with(to(server.port, "/"), json!({"pause-ms": 50, "read": 100_000}));
    let answer = &answers(&run(server.port, request.clone(), Duration::from_secs(60))).await[0];
    assert!(answer["bytes"].as_u64().unwrap() >= 100_000, "{answer}");
    let whole = with(request, json!({"read": null}));
    let answer = &answers(&run(server.port, whole, Duration::from_secs(60))).await[0];
    assert_eq!((&answer["bytes"], &answer["body-error"]), (&json!(6_000_000), &Value::Null));
}
