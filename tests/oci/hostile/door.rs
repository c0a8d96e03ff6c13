use super::{headed, manifest, status};
use crate::given::{Client, NOBODY, artifact, login};
use flowmonkey_jobs::catalog::OciProblem;
use flowmonkey_tests::registry::digest_of;
use flowmonkey_tests::server::{Reply, Server, ok};

/// `ada:hunter2`
const LOGIN: &str = "YWRhOmh1bnRlcjI=";

/// A registry that sends whoever has no token to a service for one.
async fn behind(realm: String) -> Server {
    let challenge = format!("www-authenticate: Bearer realm=\"{realm}\",service=\"the registry\"\r\n");
    Server::start(move |request| {
        if !request.contains("authorization: Bearer t0ken") {
            headed("401 Unauthorized", &challenge, "")
        } else if request.contains("/manifests/") {
            ok(&manifest(&digest_of(b"component"), 9))
        } else {
            ok("component")
        }
    })
    .await
}

async fn service(answer: &'static str) -> (Server, String) {
    let server = Server::start(move |_| ok(answer)).await;
    let realm = format!("http://127.0.0.1:{}/token", server.port);
    (server, realm)
}

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port)
}

fn reference(server: &Server) -> String {
    format!("oci://{}/team/x:1", address(server))
}

#[tokio::test]
async fn a_token_is_asked_for_with_the_login_and_without() {
    let path = "/token?scope=repository%3Ateam%2Fx%3Apull&service=the+registry";
    for (has_login, answer) in [(true, r#"{"token": "t0ken"}"#), (false, r#"{"access_token": "t0ken"}"#)] {
        let (service, realm) = service(answer).await;
        let server = behind(realm).await;
        let config = if has_login { login(&address(&server), LOGIN) } else { NOBODY.to_owned() };
        assert_eq!(Client::new(&config).fetch(&reference(&server)).await.0.component, b"component");
        let [request] = service.requests().try_into().unwrap();
        assert!(request.starts_with(&format!("GET {path} HTTP")), "{request}");
        assert_eq!(request.contains(&format!("authorization: Basic {LOGIN}")), has_login, "{request}");
        assert!(server.requests().iter().all(|request| !request.contains(LOGIN)));
    }
}

#[tokio::test]
async fn an_identity_is_changed_for_a_token() {
    let (service, realm) = service(r#"{"access_token": "t0ken"}"#).await;
    let server = behind(realm).await;
    let config = serde_json::json!({ "auths": { address(&server): { "identitytoken": "who i am" } } });
    Client::new(&config.to_string()).fetch(&reference(&server)).await;
    let [request] = service.requests().try_into().unwrap();
    assert!(request.starts_with("POST /token HTTP"), "{request}");
    let form = "scope=repository%3Ateam%2Fx%3Apull&service=the+registry&grant_type=refresh_token&\
                client_id=flowmonkey&refresh_token=who+i+am";
    assert!(request.ends_with(form), "{request}");
}

#[tokio::test]
async fn who_publishes_asks_for_the_right_to() {
    let (service, realm) = service("{}").await;
    let server = behind(realm).await;
    Client::new(NOBODY).not_published(&reference(&server), &artifact("a")).await;
    assert!(service.requests()[0].contains("scope=repository%3Ateam%2Fx%3Apull%2Cpush"));
}

#[tokio::test]
async fn a_login_goes_only_where_a_registry_may_send_it() {
    for realm in ["http://192.0.2.1/token", "http://example.com/token", "token", ""] {
        let server = behind(realm.to_owned()).await;
        let found = Client::new(&login(&address(&server), LOGIN)).not_fetched(&reference(&server)).await;
        assert!(matches!(found, OciProblem::Protocol(_)), "{realm}: {found:?}");
    }
}

/// What the client makes of a service that answers a login in this way.
async fn at_the_service(reply: impl Fn() -> Reply + Send + Sync + 'static) -> OciProblem {
    let service = Server::start(move |_| reply()).await;
    let server = behind(format!("http://127.0.0.1:{}/token", service.port)).await;
    let found = Client::new(&login(&address(&server), LOGIN)).not_fetched(&reference(&server)).await;
    assert!(!format!("{found} {found:?}").contains("hunter2"));
    found
}

#[tokio::test]
async fn a_service_that_hands_out_no_token_is_told_as_such() {
    let refused = at_the_service(|| status("401 Unauthorized", "")).await;
    assert!(matches!(refused, OciProblem::LoginRefused { wish: "pull", .. }), "{refused:?}");
    for body in ["{}", "nothing", r#"{"token": ""}"#] {
        let found = at_the_service(move || ok(body)).await;
        assert!(matches!(found, OciProblem::Protocol(_)), "{found:?}");
    }
    let useless = at_the_service(|| ok(r#"{"token": "other"}"#)).await;
    assert!(matches!(useless, OciProblem::LoginRefused { .. }), "{useless:?}");
    let split = at_the_service(|| ok(r#"{"token": "a\r\nx: y"}"#)).await;
    assert!(matches!(split, OciProblem::Credentials(_)), "{split:?}");
    let endless = || Reply::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned(), "x".repeat(65536));
    let endless = at_the_service(endless).await;
    assert!(matches!(endless, OciProblem::TooLarge { .. }), "{endless:?}");
    let moved = at_the_service(|| headed("302 Found", "location: http://127.0.0.1:1/\r\n", "")).await;
    assert!(matches!(moved, OciProblem::Protocol(_)), "{moved:?}");
}

#[tokio::test]
async fn a_door_that_nobody_knows_how_to_open_is_told_as_such() {
    for challenge in ["", "www-authenticate: Negotiate\r\n"] {
        let server = Server::start(move |_| headed("401 Unauthorized", challenge, "")).await;
        let found = Client::new(NOBODY).not_fetched(&reference(&server)).await;
        assert!(matches!(found, OciProblem::Protocol(_)), "{found:?}");
    }
}
