use crate::given::{BYTES_MAX, Client, NOBODY, artifact, login, parsed};
use flowmonkey_jobs::catalog::OciProblem;
use flowmonkey_tests::registry::{Door, Registry};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// `ada:hunter2`
const RIGHT: &str = "YWRhOmh1bnRlcjI=";
/// `ada:hunter3`
const WRONG: &str = "YWRhOmh1bnRlcjM=";

#[tokio::test]
async fn a_login_opens_the_door() {
    let registry = Registry::start(Door::Locked);
    let client = Client::new(&login(&registry.address(), RIGHT));
    client.publish(&registry.reference("x:1"), &artifact("a")).await;
    assert_eq!(client.fetch(&registry.reference("x:1")).await.0, artifact("a"));
}

#[tokio::test]
async fn who_has_no_login_is_told_how_to_get_one() {
    let registry = Registry::start(Door::Locked);
    let elsewhere = login("registry.example.com", RIGHT);
    for config in [NOBODY, elsewhere.as_str()] {
        let client = Client::new(config);
        let expected = OciProblem::LoginMissing { registry: registry.address() };
        let problem = client.not_published(&registry.reference("x:1"), &artifact("a")).await;
        assert_eq!(problem, expected);
        assert_eq!(client.not_fetched(&registry.reference("x:1")).await, expected);
        let remedy = format!("`docker login {}`", registry.address());
        assert!(expected.to_string().contains(&remedy), "{expected}");
    }
}

#[tokio::test]
async fn a_wrong_login_is_refused_and_not_repeated() {
    let registry = Registry::start(Door::Locked);
    let client = Client::new(&login(&registry.address(), WRONG));
    let reference = registry.reference("x:1");
    let problem = client.not_published(&reference, &artifact("a")).await;
    assert_eq!(problem, OciProblem::LoginRefused { registry: registry.address(), wish: "push" });
    let error = client.registry.fetch(&parsed(&reference), BYTES_MAX).await.unwrap_err();
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(text.contains(&reference) || text.contains(&registry.address()), "{text}");
        assert!(!text.contains("hunter3") && !text.contains(WRONG), "{text}");
    }
}

/// What Docker's own programs do that keep logins.
const PROGRAM: &str = r#"#!/bin/sh
[ "$1" = get ] || exit 2
read -r registry
case "$registry" in
127.0.0.1:*) echo '{"ServerURL": "x", "Username": "ada", "Secret": "hunter2"}' ;;
localhost:*) echo 'credentials not found in native keychain'; exit 1 ;;
*) echo 'hunter2'; exit 1 ;;
esac
"#;

/// Programs are looked for on the path, so the test runs in a process with another one.
#[test]
fn a_program_is_asked_for_the_login() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("docker-credential-fixed");
    std::fs::write(&program, PROGRAM).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "docker_registry::login::with_the_program_on_the_path", "--ignored"]);
    let ended = again.env("PATH", path).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by the test above, with another path"]
async fn with_the_program_on_the_path() {
    let registry = Registry::start(Door::Locked);
    let store = r#"{"credsStore": "fixed"}"#;
    let one = serde_json::json!({ "credHelpers": { registry.address(): "fixed" } }).to_string();
    for config in [store, one.as_str()] {
        let client = Client::new(config);
        client.publish(&registry.reference("x:1"), &artifact("a")).await;
        assert_eq!(client.fetch(&registry.reference("x:1")).await.0, artifact("a"));
    }
    // What the program has no login for is asked without one.
    let unknown = registry.reference("x:1").replace("127.0.0.1", "localhost");
    let found = Client::new(store).not_fetched(&unknown).await;
    assert!(matches!(found, OciProblem::LoginMissing { .. }), "{found:?}");
    let failing = Client::new(store).not_fetched("oci://registry.invalid/x").await;
    let OciProblem::Credentials(why) = &failing else { panic!("{failing:?}") };
    assert!(why.contains("docker-credential-fixed") && !why.contains("hunter2"), "{why}");
}
