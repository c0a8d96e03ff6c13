//! The program itself between a folder, a registry and the database.

use flowmonkey_tests::guests;
use flowmonkey_tests::program::Folder;
use flowmonkey_tests::registry::{Door, Registry};
use serde_json::json;

#[test]
fn a_handler_is_published_deployed_by_its_digest_and_pulled() {
    let (registry, folder) = (Registry::start(Door::Open), Folder::new());
    folder.write("say/handler.toml", "version = '1.2.0'\ninput-schema = 'in.json'");
    folder.write("say/in.json", r#"{"type": ["object", "null"]}"#);
    folder.write("say/say.wasm", guests::saying("one", 1));
    let tagged = registry.reference("team/say:1.2");
    let published = folder.json(&["handlers", "push", "say", "--to", &tagged]);
    let pinned = published["published"].as_str().unwrap();
    assert!(pinned.starts_with(&format!("{tagged}@sha256:")), "{pinned}");
    // The tag moves on; the digest does not.
    folder.write("say/say.wasm", guests::saying("two", 1));
    folder.done(&["handlers", "push", "say", "--to", &tagged]);
    let pushed = folder.json(&["handlers", "push", pinned]);
    assert_eq!((&pushed["handler"], &pushed["version"]), (&json!("say"), &json!("1.2.0")));
    assert_eq!((&pushed["digest"], &pushed["source"]), (&published["digest"], &json!(pinned)));
    assert_eq!(pushed["schemas"], json!(["input"]));
    folder.done(&["handlers", "pull", pinned, "--into", "copy"]);
    let again = folder.json(&["handlers", "push", "copy/say"]);
    assert_eq!((&again["is_new"], &again["digest"]), (&json!(false), &published["digest"]));
    let unknown = folder.run(&["handlers", "push", &registry.reference("team/nobody:1")]);
    assert!(unknown.code != 0 && unknown.stderr.contains("team/nobody"), "{unknown:?}");
}
