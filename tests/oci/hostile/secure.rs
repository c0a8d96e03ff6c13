//! Over TLS, as all registries but those of this machine are spoken to. `0.0.0.0` leads here as well and is no
//! loopback address.

use super::{headed, manifest, page, pages};
use crate::given::{Client, NOBODY, artifact, parsed};
use flowmonkey_jobs::catalog::{OciConfig, OciProblem, OciRegistry};
use flowmonkey_tests::certificates::{authority_pem, trusted, untrusted};
use flowmonkey_tests::registry::digest_of;
use flowmonkey_tests::server::{Server, ok};
use std::time::Duration;

fn trusting() -> Client {
    Client::with(NOBODY, |config| OciConfig { extra_roots_pem: Some(authority_pem()), ..config })
}

fn reference(server: &Server) -> String {
    format!("oci://0.0.0.0:{}/x:1", server.port)
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_for_the_registry() {
    let whole = || {
        let found = manifest(&digest_of(b"component"), 9);
        pages(vec![page("/manifests/", move || ok(&found)), page("/blobs/", || ok("component"))])
    };
    let server = Server::tls(trusted("0.0.0.0"), whole()).await;
    assert_eq!(trusting().fetch(&reference(&server)).await.0.component, b"component");
    let other_name = Server::tls(trusted("registry.test"), whole()).await;
    let from_nobody = Server::tls(untrusted("0.0.0.0"), whole()).await;
    for refused in [other_name, from_nobody] {
        let found = trusting().not_fetched(&reference(&refused)).await;
        let OciProblem::Unavailable(why) = &found else { panic!("{found:?}") };
        assert!(why.contains("TLS"), "{why}");
    }
    // In the clear each waits for the other to begin.
    let in_the_clear = Server::start(whole()).await;
    let hasty = Client::impatient(Duration::from_millis(200), Duration::from_secs(60));
    let found = hasty.not_fetched(&reference(&in_the_clear)).await;
    assert!(matches!(&found, OciProblem::Unavailable(why) if why.contains("TLS")), "{found:?}");
    let found = Client::new(NOBODY).not_fetched(&reference(&server)).await;
    assert!(matches!(found, OciProblem::Unavailable(_)), "{found:?}");
}

#[tokio::test]
async fn nobody_is_led_from_tls_into_the_clear_or_into_this_machine() {
    let here = Server::tls(trusted("127.0.0.1"), |_| ok("secret")).await;
    for to in [
        format!("http://0.0.0.0:{}/", here.port),
        format!("https://127.0.0.1:{}/", here.port),
        format!("https://localhost:{}/", here.port),
        format!("https://[::ffff:127.0.0.1]:{}/", here.port),
    ] {
        let header = format!("location: {to}\r\n");
        let server = Server::tls(trusted("0.0.0.0"), move |_| headed("302 Found", &header, "")).await;
        let found = trusting().not_fetched(&reference(&server)).await;
        assert!(matches!(found, OciProblem::Protocol(_)), "{to}: {found:?}");
    }
    assert_eq!(here.counts.borrow().closed, 0);
}

#[tokio::test]
async fn certificates_that_are_none_are_refused_at_once() {
    for pem in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let config = OciConfig { extra_roots_pem: Some(pem.into()), ..OciConfig::default() };
        assert!(OciRegistry::new(config).is_err(), "{pem}");
    }
}

/// The reference says what went wrong with which artifact.
#[tokio::test]
async fn an_error_names_its_artifact() {
    let reference = parsed("oci://localhost:1/team/x:1");
    let error = Client::new(NOBODY).registry.publish(&reference, &artifact("a")).await.unwrap_err();
    assert!(error.to_string().starts_with("oci://localhost:1/team/x:1: the registry is not available"));
}
