use crate::given::{Client, NOBODY, artifact};
use flowmonkey_jobs::catalog::Artifact;
use flowmonkey_tests::registry::{Door, Registry, digest_of};
use serde_json::json;

#[tokio::test]
async fn what_is_published_is_fetched_by_tag_and_by_digest() {
    let (registry, client) = (Registry::start(Door::Open), Client::new(NOBODY));
    let artifact = artifact("a");
    let reference = registry.reference("team/email-send:1.2");
    let pinned = client.publish(&reference, &artifact).await;
    assert_eq!(pinned.to_string(), format!("{reference}@{}", pinned.digest().unwrap()));
    assert_eq!(client.fetch(&reference).await, (artifact.clone(), pinned.clone()));
    assert_eq!(client.fetch(&pinned.to_string()).await, (artifact.clone(), pinned.clone()));
    let by_digest_alone = registry.reference(&format!("team/email-send@{}", pinned.digest().unwrap()));
    assert_eq!(client.fetch(&by_digest_alone).await.0, artifact);
}

#[tokio::test]
async fn a_bare_component_without_a_tag_is_the_latest() {
    let (registry, client) = (Registry::start(Door::Open), Client::new(NOBODY));
    let bare = Artifact { manifest: None, signature: None, schemas: None, ..artifact("a") };
    client.publish(&registry.reference("bare"), &bare).await;
    assert_eq!(client.fetch(&registry.reference("bare:latest")).await.0, bare);
}

#[tokio::test]
async fn the_same_artifact_has_the_same_digest() {
    let (one, other) = (Registry::start(Door::Open), Registry::start(Door::Open));
    let client = Client::new(NOBODY);
    let first = client.publish(&one.reference("x:1"), &artifact("a")).await;
    for reference in [one.reference("x:1"), one.reference("y/z:2"), other.reference("x:1")] {
        assert_eq!(client.publish(&reference, &artifact("a")).await.digest(), first.digest(), "{reference}");
    }
    let unsigned = Artifact { signature: None, ..artifact("a") };
    assert_ne!(client.publish(&one.reference("x:2"), &unsigned).await.digest(), first.digest());
}

/// The whole format, as others read it: a change here is a change that they will see.
#[tokio::test]
async fn what_is_stored_is_the_format_of_the_ecosystem() {
    let (registry, client) = (Registry::start(Door::Open), Client::new(NOBODY));
    let artifact = artifact("a");
    client.publish(&registry.reference("x:1"), &artifact).await;
    let manifest: serde_json::Value = serde_json::from_str(&registry.manifest("x", "1")).unwrap();
    let config_digest = manifest["config"]["digest"].as_str().unwrap();
    let config = registry.request("GET", &format!("/v2/x/blobs/{config_digest}"), "", b"").body;
    let expected = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.wasm.config.v0+json",
            "digest": digest_of(config.as_bytes()),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/wasm",
            "digest": digest_of(&artifact.component),
            "size": artifact.component.len(),
        }],
        "annotations": {
            "dev.flowmonkey.handler.manifest": artifact.manifest.unwrap(),
            "dev.flowmonkey.handler.schemas": artifact.schemas.unwrap(),
            "dev.flowmonkey.handler.signature": artifact.signature.unwrap(),
            "org.opencontainers.image.title": "email-send",
            "org.opencontainers.image.version": "1.2",
            "org.opencontainers.image.description": "Sends mail",
        },
    });
    assert_eq!(manifest, expected);
    let expected = json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [digest_of(&artifact.component)],
        "component": { "exports": [], "imports": [] },
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&config).unwrap(), expected);
}

#[tokio::test]
async fn a_tag_that_moves_takes_no_pinned_reference_along() {
    let (registry, client) = (Registry::start(Door::Open), Client::new(NOBODY));
    let reference = registry.reference("x:stable");
    let pinned = client.publish(&reference, &artifact("a")).await;
    let moved = client.publish(&reference, &artifact("b")).await;
    assert_eq!(client.fetch(&pinned.to_string()).await, (artifact("a"), pinned));
    assert_eq!(client.fetch(&reference).await, (artifact("b"), moved));
}

/// Of several megabytes, as real ones are.
#[tokio::test]
async fn a_large_component_arrives_whole() {
    let (registry, client) = (Registry::start(Door::Open), Client::new(NOBODY));
    let large = Artifact { component: crate::given::component(&"x".repeat(900_000)), ..artifact("a") };
    client.publish(&registry.reference("large"), &large).await;
    assert_eq!(client.fetch(&registry.reference("large")).await.0, large);
}
