use super::{headed, manifest, page, pages, status};
use crate::given::{Client, NOBODY};
use flowmonkey_jobs::catalog::OciProblem;
use flowmonkey_tests::registry::digest_of;
use flowmonkey_tests::server::{Reply, Server, ok};

const COMPONENT: &str = "component";

/// What a client makes of a component that comes in this way, while `component` is announced.
async fn problem(reply: impl Fn() -> Reply + Send + Sync + 'static) -> OciProblem {
    let announced = manifest(&digest_of(COMPONENT.as_bytes()), COMPONENT.len());
    let answers = pages(vec![page("/v2/x/manifests/1", move || ok(&announced)), page("/v2/x/blobs/", reply)]);
    let server = Server::start(answers).await;
    Client::new(NOBODY).not_fetched(&format!("oci://127.0.0.1:{}/x:1", server.port)).await
}

#[tokio::test]
async fn another_component_than_the_manifest_names_is_refused() {
    for body in ["Component", "compo", ""] {
        let found = problem(move || ok(body)).await;
        assert!(matches!(found, OciProblem::WrongDigest { what: "the component", .. }), "{found:?}");
    }
}

#[tokio::test]
async fn a_component_without_end_is_cut_off_where_the_manifest_says() {
    let announced = || Reply::Hold("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_owned());
    let endless = || Reply::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned(), COMPONENT.repeat(1000));
    let chunked = || {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        Reply::Endless(head.to_owned(), "1\r\nx\r\n".to_owned())
    };
    let (what, max) = ("the component".to_owned(), COMPONENT.len() as u64);
    let first_byte_over = OciProblem::TooLarge { what, bytes: max + 1, max };
    assert_eq!(problem(announced).await, first_byte_over);
    assert_eq!(problem(chunked).await, first_byte_over);
    let found = problem(endless).await;
    assert!(matches!(found, OciProblem::TooLarge { .. }), "{found:?}");
}

#[tokio::test]
async fn a_component_that_breaks_off_is_told_as_such() {
    let found = problem(|| Reply::Whole("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncomp".to_owned())).await;
    let OciProblem::Unavailable(why) = &found else { panic!("{found:?}") };
    assert!(why.contains("broke off after 4 bytes"), "{why}");
}

#[tokio::test]
async fn a_component_that_is_gone_is_told_as_such() {
    let found = problem(|| status("404 Not Found", "")).await;
    assert!(matches!(found, OciProblem::NotFound(_)), "{found:?}");
    let found = problem(|| headed("206 Partial Content", "content-range: bytes 0-8/20\r\n", COMPONENT)).await;
    assert!(matches!(found, OciProblem::Protocol(_)), "{found:?}");
}
