use crate::given::{Client, NOBODY, artifact, component, parsed};
use flowmonkey_jobs::catalog::{Artifact, OciProblem};
use flowmonkey_tests::registry::{Door, Registry, digest_of};
use serde_json::json;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const WASM: &str = "application/wasm";
const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// Stores a manifest with such a configuration and such layers.
fn store(registry: &Registry, tag: &str, config: &str, layers: &[&str]) {
    let stored = |media_type: &&str| {
        let bytes = media_type.as_bytes();
        json!({ "mediaType": media_type, "digest": registry.put_blob("x", bytes), "size": bytes.len() })
    };
    let layers: Vec<_> = layers.iter().map(stored).collect();
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": stored(&config), "layers": layers });
    registry.put_manifest("x", tag, IMAGE, &manifest.to_string());
}

#[tokio::test]
async fn what_is_no_handler_is_told_what_it_is() {
    let (registry, client) = (Registry::start(Door::Open), Client::new(NOBODY));
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    let image = "application/vnd.oci.image.config.v1+json";
    store(&registry, "image", image, &[layer, layer]);
    store(&registry, "wasm-image", image, &[WASM]);
    store(&registry, "two", WASM_CONFIG, &[WASM, WASM]);
    store(&registry, "chart", "application/vnd.cncf.helm.config.v1+json", &["application/gzip"]);
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] });
    registry.put_manifest("x", "index", INDEX, &index.to_string());
    for (tag, expected) in [
        ("image", format!("a container image with 2 layer(s): `{layer}`, `{layer}`")),
        ("wasm-image", format!("a container image with 1 layer(s): `{WASM}`")),
        ("two", format!("WebAssembly in another form with 2 layer(s): `{WASM}`, `{WASM}`")),
        ("chart", "an artifact with the configuration `application/vnd.cncf.helm.config.v1+json`".to_owned()),
        ("index", "an index of several artifacts".to_owned()),
    ] {
        let problem = client.not_fetched(&registry.reference(&format!("x:{tag}"))).await;
        let OciProblem::NotHandler(kind) = &problem else { panic!("{tag}: {problem:?}") };
        assert!(kind.starts_with(&expected), "{tag}: {kind}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (registry, client) = (Registry::start(Door::Open), Client::new(NOBODY));
    client.publish(&registry.reference("x:1"), &artifact("a")).await;
    let unknown = format!("x@{}", digest_of(b"nothing"));
    for rest in ["never:1", "x:2", unknown.as_str()] {
        let problem = client.not_fetched(&registry.reference(rest)).await;
        let OciProblem::NotFound(said) = &problem else { panic!("{rest}: {problem:?}") };
        assert!(said.contains("MANIFEST_UNKNOWN") || said.contains("NAME_UNKNOWN"), "{said}");
    }
}

#[tokio::test]
async fn a_component_over_the_limit_is_not_fetched() {
    let (registry, client) = (Registry::start(Door::Open), Client::new(NOBODY));
    let reference = parsed(&registry.reference("x:1"));
    client.publish(&reference.to_string(), &artifact("a")).await;
    let bytes = component("a").len();
    let fetch = |max| client.registry.fetch(&reference, max);
    assert!(fetch(bytes).await.is_ok());
    let problem = fetch(bytes - 1).await.unwrap_err().problem;
    let (what, max) = ("the component".to_owned(), bytes as u64 - 1);
    assert_eq!(problem, OciProblem::TooLarge { what, bytes: bytes as u64, max });
}

#[tokio::test]
async fn bytes_that_changed_where_they_are_stored_are_noticed() {
    let (registry, client) = (Registry::start(Door::Open), Client::new(NOBODY));
    let pinned = client.publish(&registry.reference("x:1"), &artifact("a")).await;
    registry.damage(&digest_of(&component("a")));
    let problem = client.not_fetched(&pinned.to_string()).await;
    assert!(matches!(problem, OciProblem::WrongDigest { what: "the component", .. }), "{problem:?}");
}

/// Refused before a byte is sent: there is nobody where the reference leads.
#[tokio::test]
async fn what_cannot_be_published_is_not_even_sent() {
    let client = Client::new(NOBODY);
    let long = format!("# {}", "x".repeat(64 * 1024));
    let too_long = Artifact { manifest: Some(long.clone()), ..artifact("a") };
    let no_toml = Artifact { manifest: Some("name = ".to_owned()), ..artifact("a") };
    let too_signed = Artifact { signature: Some(long), ..artifact("a") };
    let no_component = Artifact { component: b"hello".to_vec(), ..artifact("a") };
    for (artifact, why) in [
        (too_long, "handler.toml has 65538 bytes, over the limit of 65536"),
        (too_signed, "the signature has 65538 bytes, over the limit of 65536"),
        (no_toml, "handler.toml: "),
        (no_component, "no component"),
    ] {
        let problem = client.not_published("oci://localhost:1/x", &artifact).await.to_string();
        assert!(problem.contains(why), "{problem}");
    }
    let pinned = format!("oci://localhost:1/x@{}", digest_of(b""));
    let problem = client.not_published(&pinned, &artifact("a")).await.to_string();
    assert!(problem.contains("under a tag"), "{problem}");
}
