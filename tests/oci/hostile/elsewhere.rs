use super::{headed, manifest, page, pages, status};
use crate::given::{Client, NOBODY, artifact, login};
use flowmonkey_jobs::catalog::OciProblem;
use flowmonkey_tests::registry::digest_of;
use flowmonkey_tests::server::{Server, ok};

/// `ada:hunter2`
const LOGIN: &str = "YWRhOmh1bnRlcjI=";
const TEMPORARY: &str = "307 Temporary Redirect";

fn reference(server: &Server) -> String {
    format!("oci://127.0.0.1:{}/x:1", server.port)
}

fn location(to: &str) -> String {
    format!("location: {to}\r\n")
}

/// As registries do that keep their bytes in somebody's cloud.
#[tokio::test]
async fn a_component_may_lie_elsewhere_and_no_login_goes_there() {
    let storage = Server::start(|_| ok("component")).await;
    let there = location(&format!("http://127.0.0.1:{}/bucket?signed=1", storage.port));
    let found = manifest(&digest_of(b"component"), 9);
    let server = Server::start(move |request| {
        if !request.contains(&format!("authorization: Basic {LOGIN}")) {
            headed("401 Unauthorized", "www-authenticate: Basic realm=\"x\"\r\n", "")
        } else if request.contains("/manifests/") {
            ok(&found)
        } else {
            headed(TEMPORARY, &there, "")
        }
    });
    let server = server.await;
    let client = Client::new(&login(&format!("127.0.0.1:{}", server.port), LOGIN));
    assert_eq!(client.fetch(&reference(&server)).await.0.component, b"component");
    let [request] = storage.requests().try_into().unwrap();
    assert!(request.starts_with("GET /bucket?signed=1 ") && !request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn a_redirect_leads_nowhere_that_a_registry_has_no_business_with() {
    for to in [
        "http://192.0.2.1/x",
        "http://example.com/x",
        "file:///etc/passwd",
        "//example.com/x",
        "http://ada@127.0.0.1/",
        "",
        "x",
    ] {
        let header = location(to);
        let server = Server::start(move |_| headed(TEMPORARY, &header, "")).await;
        let found = Client::new(NOBODY).not_fetched(&reference(&server)).await;
        assert!(matches!(found, OciProblem::Protocol(_)), "{to}: {found:?}");
    }
}

#[tokio::test]
async fn redirects_in_a_circle_come_to_an_end() {
    let server = Server::start(|_| headed(TEMPORARY, &location("/v2/x/manifests/1"), "")).await;
    let found = Client::new(NOBODY).not_fetched(&reference(&server)).await;
    let OciProblem::Protocol(why) = &found else { panic!("{found:?}") };
    assert!(why.contains("more than 3 times"), "{why}");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn what_is_written_goes_nowhere_else() {
    let other = Server::start(|_| status("201 Created", "")).await;
    let there = location(&format!("http://127.0.0.1:{}/upload", other.port));
    let (again, anew) = (there.clone(), there);
    let redirecting = pages(vec![page("POST /v2/x/blobs/uploads/", move || headed(TEMPORARY, &again, ""))]);
    let accepting = pages(vec![page("POST /v2/x/blobs/uploads/", move || headed("202 Accepted", &anew, ""))]);
    for server in [Server::start(redirecting).await, Server::start(accepting).await] {
        let found = Client::new(NOBODY).not_published(&reference(&server), &artifact("a")).await;
        assert!(matches!(found, OciProblem::Protocol(_)), "{found:?}");
    }
    assert_eq!(other.requests(), Vec::<String>::new());
}
