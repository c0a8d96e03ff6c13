//! Whoever has the grant gets through; whoever has another does not, and is told which it takes.

use super::server::{Reply, Server, ok};
use super::world::{answer, answers, error, grants, name, sending, to, trusted, untrusted, with};
use flowmonkey_jobs::sandbox::Grants;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_arrives_as_it_was_sent() {
    let server = Server::start(|request| match request.split(' ').nth(1).unwrap() {
        "/missing" => {
            Reply::Whole("HTTP/1.1 404 Not Found\r\nx-own: a\r\ncontent-length: 2\r\n\r\nno".into())
        }
        "/broken" => Reply::Whole("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".into()),
        "/chunked" => Reply::Whole(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".into(),
        ),
        _ => ok("hello"),
    })
    .await;
    let at = format!("127.0.0.1:{}", server.port);
    let post = json!({"method": "POST", "body": "payload", "headers": [["content-type", "text/x"]]});
    let sized = json!({"method": "POST", "body": "payload", "headers": [["content-length", "7"]]});
    let run = sending(
        grants(&[&format!("http://{at}")]),
        json!([
            with(to(server.port, "/a?b=c"), json!({"headers": [["x-own", "1"], ["x-own", "2"]]})),
            with(to(server.port, "/post"), post),
            with(to(server.port, "/sized"), sized),
            to(server.port, "/missing"),
            to(server.port, "/broken"),
            to(server.port, "/chunked"),
            with(to(server.port, "/head"), json!({"method": "HEAD"})),
        ]),
    );
    let answers = answers(&run).await;
    let found: Vec<_> =
        answers.iter().map(|answer| (answer["status"].clone(), answer["body"].clone())).collect();
    let expected =
        [(200, "hello"), (200, "hello"), (200, "hello"), (404, "no"), (500, ""), (200, "abcde"), (200, "")];
    assert_eq!(found, expected.map(|(status, body)| (json!(status), json!(body))), "{answers:?}");
    assert_eq!(answers[3]["headers"]["x-own"], "a");
    let requests = server.requests();
    assert_eq!(requests[0], format!("GET /a?b=c HTTP/1.1\r\nx-own: 1\r\nx-own: 2\r\nhost: {at}\r\n\r\n"));
    assert!(
        requests[1].contains("transfer-encoding: chunked") && requests[1].contains("\r\n7\r\npayload\r\n0")
    );
    assert!(requests[2].ends_with("\r\n\r\npayload") && !requests[2].contains("chunked"), "{}", requests[2]);
    assert_eq!(run.host.text(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_denied_and_the_log_names_the_grant() {
    let server = Server::start(|_| ok("never")).await;
    let port = server.port;
    let loopback = Grants { http: Vec::new(), ..grants(&[]) };
    let other_port = grants(&[&format!("http://127.0.0.1:{}", port.wrapping_add(1).max(1))]);
    let encrypted = grants(&[&format!("https://127.0.0.1:{port}")]);
    let wildcard = grants(&["*.example.test", "http://*.example.test"]);
    for (case, grants) in [
        ("nothing granted", loopback),
        ("another port", other_port),
        ("https alone", encrypted),
        ("a wildcard for names", wildcard),
    ] {
        let (answer, host) = answer(grants, to(port, "/secret?token=1")).await;
        assert_eq!(error(&answer), "ErrorCode::HttpRequestDenied", "{case}");
        let log = host.text().join("\n");
        assert!(
            log.contains(&format!("\"http://127.0.0.1:{port}\"")) && log.contains("grant `http`"),
            "{log}"
        );
        assert!(!log.contains("token"), "{log}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_is_for_every_name_below_and_no_other() {
    let server = Server::start(|_| ok("below")).await;
    for host in ["a.wild.test", "b.a.wild.test", "wild.test", "xwild.test"] {
        name(host, &[&["127.0.0.1"]]);
    }
    let port = server.port;
    for (host, expected) in
        [("a.wild.test", true), ("b.A.wild.TEST", true), ("wild.test", false), ("xwild.test", false)]
    {
        let request = json!({"scheme": "http", "authority": format!("{host}:{port}"), "path": "/"});
        let pattern = format!("http://*.wild.test:{port}");
        // The port of a pattern is the scheme's own unless it is named.
        let (answer, _) = answer(grants(&[&pattern]), request).await;
        assert_eq!(answer["status"] == 200, expected, "{host}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_must_be_trusted_and_for_the_host_that_was_asked_for() {
    name("tls.test", &[&["127.0.0.1"]]);
    for (case, tls, expected) in [
        ("right", trusted("tls.test"), None),
        ("for another name", trusted("other.test"), Some("ErrorCode::TlsCertificateError")),
        ("from nobody", untrusted("tls.test"), Some("ErrorCode::TlsCertificateError")),
    ] {
        let server = Server::tls(tls, |_| ok("secret")).await;
        let at = format!("tls.test:{}", server.port);
        // Without a scheme a request is https.
        let request = json!({"authority": at, "path": "/"});
        let (answer, host) = answer(grants(&[&format!("https://{at}")]), request).await;
        match expected {
            None => assert_eq!(answer["body"], "secret", "{case}: {answer} {:?}", host.text()),
            Some(expected) => {
                assert_eq!(error(&answer), expected, "{case}");
                assert_eq!(server.requests().len(), 0, "{case}");
            }
        }
    }
    let plain = Server::start(|_| ok("plain")).await;
    let at = format!("tls.test:{}", plain.port);
    let request = json!({"scheme": "https", "authority": at, "path": "/", "connect-ms": 2000});
    let (answer, _) = answer(grants(&[&format!("https://{at}")]), request).await;
    assert!(answer["error"].is_string(), "{answer}");
}
