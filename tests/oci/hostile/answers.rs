use super::{headed, manifest, page, pages, status};
use crate::given::{Client, NOBODY, artifact};
use flowmonkey_jobs::catalog::OciProblem;
use flowmonkey_tests::registry::digest_of;
use flowmonkey_tests::server::{Reply, Server, ok};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

/// What a client makes of a registry that answers everything in this way.
async fn problem(client: &Client, reply: impl Fn() -> Reply + Send + Sync + 'static) -> OciProblem {
    let server = Server::start(move |_| reply()).await;
    client.not_fetched(&format!("oci://127.0.0.1:{}/x:1", server.port)).await
}

#[tokio::test]
async fn another_manifest_than_the_pinned_one_is_refused() {
    let server = Server::start(|_| ok(&manifest(&digest_of(b"a"), 1))).await;
    let wanted = digest_of(b"what was pinned");
    let reference = format!("oci://127.0.0.1:{}/x:1@{wanted}", server.port);
    let problem = Client::new(NOBODY).not_fetched(&reference).await;
    let OciProblem::WrongDigest { what: "the manifest", expected, .. } = &problem else {
        panic!("{problem:?}")
    };
    assert!(expected.contains(&wanted), "{problem}");
}

#[tokio::test]
async fn a_manifest_that_is_not_what_its_registry_says_is_refused() {
    let header = format!("docker-content-digest: {}\r\n", digest_of(b"another"));
    let found = problem(&Client::new(NOBODY), move || headed("200 OK", &header, "{}")).await;
    assert!(matches!(found, OciProblem::WrongDigest { what: "the manifest", .. }), "{found:?}");
}

#[tokio::test]
async fn a_manifest_without_end_is_cut_off() {
    let client = Client::new(NOBODY);
    let announced = || Reply::Hold("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_owned());
    let endless = || Reply::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned(), "[".repeat(65536));
    for found in [problem(&client, announced).await, problem(&client, endless).await] {
        let OciProblem::TooLarge { what, max, .. } = &found else { panic!("{found:?}") };
        assert_eq!((what.as_str(), *max), ("the manifest", 4 << 20));
    }
}

#[tokio::test]
async fn a_manifest_that_is_none_is_refused() {
    let client = Client::new(NOBODY);
    let layer = |digest: &'static str| move || ok(&manifest(digest, 1));
    let deep = "[".repeat(1 << 20);
    let nested = format!("{{\"annotations\": {deep}");
    for found in [
        problem(&client, || ok("")).await,
        problem(&client, || ok("<html>")).await,
        problem(&client, move || ok(&deep)).await,
        problem(&client, move || ok(&nested)).await,
        problem(&client, || ok(&manifest(&digest_of(b""), 1).replace("\"size\":1", "\"size\":-1"))).await,
        problem(&client, layer("sha256:../../manifests/2")).await,
        problem(&client, layer("md5:00")).await,
    ] {
        assert!(matches!(found, OciProblem::Protocol(_)), "{found:?}");
    }
}

#[tokio::test]
async fn an_annotation_over_the_limit_is_refused() {
    let long = "x".repeat(64 * 1024 + 1);
    let annotated = format!("{{\"annotations\": {{\"dev.flowmonkey.handler.manifest\": \"{long}\"}},");
    let manifest = manifest(&digest_of(b""), 1).replacen('{', &annotated, 1);
    let found = problem(&Client::new(NOBODY), move || ok(&manifest)).await;
    let (what, max) = ("dev.flowmonkey.handler.manifest".to_owned(), 64 * 1024);
    assert_eq!(found, OciProblem::TooLarge { what, bytes: max + 1, max });
}

#[tokio::test]
async fn trouble_of_the_registry_is_told_as_such() {
    let client = Client::new(NOBODY);
    let said = r#"{"errors": [{"code": "DENIED", "message": "\u001b[31mred\nline"}]}"#;
    for code in ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"] {
        let found = problem(&client, move || status(code, said)).await;
        let OciProblem::Unavailable(why) = &found else { panic!("{found:?}") };
        assert!(why.contains(code) && why.contains(r"DENIED: \u{1b}[31mred\nline"), "{why}");
    }
    let endless = || Reply::Endless("HTTP/1.1 500 Oh\r\n\r\n".to_owned(), "x".repeat(65536));
    assert!(matches!(problem(&client, endless).await, OciProblem::Unavailable(_)));
    let closed = problem(&client, || Reply::Whole(String::new())).await;
    assert!(matches!(closed, OciProblem::Unavailable(_)), "{closed:?}");
    let teapot = problem(&client, || status("418 I am a teapot", "")).await;
    assert!(matches!(teapot, OciProblem::Protocol(_)), "{teapot:?}");
}

#[tokio::test]
async fn nobody_there_is_told_as_such() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let found = Client::new(NOBODY).not_fetched(&format!("oci://127.0.0.1:{port}/x:1")).await;
    assert!(matches!(found, OciProblem::Unavailable(_)), "{found:?}");
}

#[tokio::test]
async fn a_registry_that_falls_silent_is_given_up() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{";
    for text in ["", "HTTP/1.1 200", begun] {
        let found = problem(&Client::impatient(SHORT, LONG), move || Reply::Hold(text.to_owned())).await;
        let OciProblem::Unavailable(why) = &found else { panic!("{found:?}") };
        assert!(why.contains("nothing came or went for 200ms"), "{why}");
    }
}

/// One that always sends something is never silent; the whole has a time as well.
#[tokio::test]
async fn a_registry_that_never_ends_is_given_up() {
    let endless =
        || Reply::Endless("HTTP/1.1 200 OK\r\n".to_owned(), "HTTP/1.1 100 Continue\r\n\r\n".to_owned());
    let headers = problem(&Client::new(NOBODY), endless).await;
    assert!(matches!(headers, OciProblem::Unavailable(_)), "{headers:?}");
    let client = Client::impatient(LONG, SHORT);
    let continued = || Reply::Endless(String::new(), "HTTP/1.1 100 Continue\r\n\r\n".to_owned());
    let found = problem(&client, continued).await;
    let OciProblem::Unavailable(why) = &found else { panic!("{found:?}") };
    assert!(why.contains("not done within 200ms"), "{why}");
}

#[tokio::test]
async fn a_registry_that_says_it_stored_something_else_is_not_believed() {
    let other = format!("docker-content-digest: {}\r\n", digest_of(b"another"));
    let server = Server::start(pages(vec![
        page("HEAD /v2/x/blobs/", || status("200 OK", "")),
        page("PUT /v2/x/manifests/1", move || headed("201 Created", &other, "")),
    ]));
    let reference = format!("oci://127.0.0.1:{}/x:1", server.await.port);
    let found = Client::new(NOBODY).not_published(&reference, &artifact("a")).await;
    assert!(matches!(found, OciProblem::WrongDigest { what: "the manifest", .. }), "{found:?}");
}
