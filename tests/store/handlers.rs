//! Handlers in the database: what is pushed, and what is refused.

use crate::given::json;
use flowmonkey_jobs::store::{
    Activation, COMPONENT_BYTES_MAX, HandlerFault, HandlerRow, NewVersion, Pushed, StoreError,
};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    what_is_pushed_can_be_read,
    a_push_without_an_activation_leaves_the_handler_as_it_was,
    the_same_again_is_the_version_that_is_there,
    a_version_without_a_name_gets_the_next_number,
    a_number_is_never_given_twice,
    a_name_that_has_other_content_is_refused_and_nothing_is_stored,
    what_cannot_be_a_version_is_refused_before_anything_is_written,
    a_large_component_comes_back_as_it_was,
    versions_and_components_never_change,
    what_is_not_there_is_said_by_its_name,
}

pub(crate) const ACTOR: &str = "ada@example.com";

/// A version whose component is this text.
pub(crate) fn version(name: Option<&str>, component: &str) -> NewVersion {
    NewVersion {
        handler: "h".into(),
        version: name.map(str::to_owned),
        digest: digest(component),
        component: component.as_bytes().to_vec(),
        manifest: "name = \"h\"".into(),
        metadata: None,
        schemas: None,
        signature: None,
        source: None,
    }
}

/// Not the SHA-256, but as good for telling components apart.
pub(crate) fn digest(component: &str) -> String {
    let mut hex: String = component.bytes().take(32).map(|byte| format!("{byte:02x}")).collect();
    hex.extend(std::iter::repeat_n('0', 64 - hex.len()));
    hex
}

pub(crate) async fn push(f: &Fixture, new: NewVersion, activation: Option<Activation>) -> Pushed {
    f.store.push_version(&new, activation, ACTOR).await.unwrap()
}

/// Pushes and activates versions of these names.
pub(crate) async fn active_one_after_the_other(f: &Fixture, names: &[&str]) {
    for name in names {
        push(f, version(Some(name), name), Some(Activation::All)).await;
    }
}

/// The only handler.
pub(crate) async fn handler(f: &Fixture) -> HandlerRow {
    let mut rows = f.store.handler_rows().await.unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

pub(crate) async fn active(f: &Fixture) -> String {
    handler(f).await.active.unwrap()
}

async fn names(f: &Fixture) -> Vec<String> {
    f.store.versions("h").await.unwrap().into_iter().map(|row| row.version).collect()
}

/// Everything that a change could leave behind.
pub(crate) async fn rows(f: &Fixture) -> [i64; 4] {
    let mut counts = [0; 4];
    for (at, table) in
        ["fm_components", "fm_handler_versions", "fm_handlers", "fm_handler_audit"].into_iter().enumerate()
    {
        counts[at] = f.number(&format!("select count(*) from {table}")).await;
    }
    counts
}

async fn what_is_pushed_can_be_read(f: Fixture) {
    let before = f.now().await;
    let new = NewVersion {
        metadata: Some(json("{\"n\": 1.50, \"é\": [12345678901234567890]}")),
        schemas: Some(json("{\"input\": {\"type\": \"object\"}}")),
        signature: Some("c2ln".into()),
        source: Some("oci://example.com/h@sha256:1".into()),
        ..version(Some("1.0.0-rc+größe"), "bytes\0\u{1}")
    };
    let pushed = push(&f, new.clone(), Some(Activation::All)).await;
    assert_eq!(pushed, Pushed { version: "1.0.0-rc+größe".into(), is_new: true });
    let row = f.store.version("h", &pushed.version).await.unwrap().unwrap();
    assert_eq!(f.store.versions("h").await.unwrap(), std::slice::from_ref(&row));
    assert_eq!((row.handler.as_str(), row.number, row.component_bytes), ("h", 1, 7));
    assert_eq!((row.version, row.digest.clone(), row.manifest), (pushed.version, new.digest, new.manifest));
    assert_eq!((row.metadata, row.schemas), (new.metadata, new.schemas));
    assert_eq!((row.signature, row.source), (new.signature, new.source));
    assert_eq!(row.pushed_by, ACTOR);
    assert!(row.pushed_at >= before && row.activated_at.unwrap() >= before);
    assert_eq!(f.store.component(&row.digest).await.unwrap().unwrap(), new.component);
    let handler = handler(&f).await;
    assert_eq!((handler.name.as_str(), handler.active.as_deref()), ("h", Some("1.0.0-rc+größe")));
    assert_eq!((handler.canary, handler.paused, handler.updated_by.as_str()), (None, false, ACTOR));
    assert!(handler.updated_at >= before);
}

async fn a_push_without_an_activation_leaves_the_handler_as_it_was(f: Fixture) {
    push(&f, version(None, "a"), None).await;
    let first = handler(&f).await;
    assert_eq!((first.active, first.canary), (None, None));
    assert_eq!(f.store.version("h", "1").await.unwrap().unwrap().activated_at, None);
    push(&f, version(None, "b"), Some(Activation::All)).await;
    push(&f, version(None, "c"), None).await;
    let row = handler(&f).await;
    assert_eq!(row.active.as_deref(), Some("2"));
    assert!(row.revision > first.revision);
}

async fn the_same_again_is_the_version_that_is_there(f: Fixture) {
    push(&f, version(None, "a"), Some(Activation::All)).await;
    let (before, counted) = (handler(&f).await, rows(&f).await);
    for name in [None, Some("1")] {
        // Who signed it, and whence it came, makes it no other.
        let again = NewVersion { signature: Some("x".into()), ..version(name, "a") };
        assert_eq!(push(&f, again, None).await, Pushed { version: "1".into(), is_new: false });
    }
    assert_eq!((handler(&f).await, rows(&f).await), (before, counted));
    // Another manifest, or other schemas, make another version, and a name that is not there yet too; the
    // component is stored once.
    for (at, new) in [
        NewVersion { manifest: "# other".into(), ..version(None, "a") },
        NewVersion { schemas: Some(json("{}")), ..version(None, "a") },
        version(Some("one"), "a"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(push(&f, new.clone(), None).await.is_new, "{new:?}");
        assert_eq!(rows(&f).await[..2], [1, 2 + at as i64]);
        assert!(!push(&f, new, None).await.is_new);
    }
    // Of several the newest.
    assert_eq!(push(&f, version(None, "a"), None).await.version, "one");
    // What is there already can be activated by a push.
    assert!(!push(&f, version(Some("one"), "a"), Some(Activation::All)).await.is_new);
    assert_eq!(active(&f).await, "one");
}

async fn a_version_without_a_name_gets_the_next_number(f: Fixture) {
    for (name, component, expected) in
        [(None, "a", "1"), (Some("x"), "b", "x"), (Some("4"), "c", "4"), (None, "d", "5"), (None, "e", "6")]
    {
        assert_eq!(push(&f, version(name, component), None).await.version, expected);
    }
    assert_eq!(names(&f).await, ["6", "5", "4", "x", "1"]);
}

async fn a_number_is_never_given_twice(f: Fixture) {
    for component in ["a", "b"] {
        push(&f, version(None, component), None).await;
    }
    f.store.remove_version("h", "2", ACTOR).await.unwrap();
    assert_eq!(push(&f, version(None, "c"), None).await.version, "3");
}

async fn a_name_that_has_other_content_is_refused_and_nothing_is_stored(f: Fixture) {
    push(&f, version(Some("1"), "a"), Some(Activation::All)).await;
    let (before, counted) = (handler(&f).await, rows(&f).await);
    for other in [
        version(Some("1"), "b"),
        NewVersion { manifest: "# other".into(), ..version(Some("1"), "a") },
        NewVersion { schemas: Some(json("{}")), ..version(Some("1"), "a") },
    ] {
        let fault = f.store.push_version(&other, Some(Activation::All), ACTOR).await.unwrap_err();
        assert!(matches!(&fault, HandlerFault::VersionTaken { digest, .. } if *digest == self::digest("a")));
        assert!(fault.to_string().contains("give this one another `version` in handler.toml"), "{fault}");
    }
    assert_eq!((handler(&f).await, rows(&f).await), (before, counted));
}

async fn what_cannot_be_a_version_is_refused_before_anything_is_written(f: Fixture) {
    let fine = || version(None, "a");
    let digest = |digest: &str| NewVersion { digest: digest.into(), ..fine() };
    let table = [
        (NewVersion { handler: String::new(), ..fine() }, "handler"),
        (NewVersion { handler: "a\0".into(), ..fine() }, "control character"),
        (version(Some("x\n"), "a"), "control character"),
        (version(Some(&"x".repeat(129)), "a"), "129 bytes"),
        (digest("abc"), "64 hexadecimal digits"),
        (digest(&"A".repeat(64)), "lower case"),
        (digest(&"g".repeat(64)), "hexadecimal"),
        (digest(&"é".repeat(32)), "hexadecimal"),
        (NewVersion { component: Vec::new(), ..fine() }, "0 bytes"),
        (NewVersion { component: vec![0; COMPONENT_BYTES_MAX + 1], ..fine() }, "268435456"),
        (NewVersion { manifest: "x".repeat(1024 * 1024 + 1), ..fine() }, "manifest"),
        (NewVersion { source: Some("a\0".into()), ..fine() }, "source holds NUL"),
    ];
    for (new, expected) in table {
        let fault = f.store.push_version(&new, None, ACTOR).await.unwrap_err();
        let HandlerFault::Store(StoreError::Invalid(why)) = fault else { panic!("{expected}: {fault:?}") };
        assert!(why.contains(expected), "{why}");
    }
    for actor in ["", "a\0"] {
        let fault = f.store.push_version(&fine(), None, actor).await.unwrap_err();
        assert!(matches!(fault, HandlerFault::Store(StoreError::Invalid(_))), "{fault:?}");
    }
    assert_eq!(rows(&f).await, [0; 4]);
}

async fn a_large_component_comes_back_as_it_was(f: Fixture) {
    let component: Vec<u8> =
        (0..20_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let new = NewVersion { component: component.clone(), ..version(None, "large") };
    push(&f, new, Some(Activation::All)).await;
    let row = f.store.version("h", "1").await.unwrap().unwrap();
    assert_eq!(row.component_bytes, component.len() as i64);
    assert!(f.store.component(&row.digest).await.unwrap().unwrap() == component);
    assert_eq!(f.store.component(&digest("nobody's")).await.unwrap(), None);
}

async fn versions_and_components_never_change(f: Fixture) {
    push(&f, version(None, "a"), Some(Activation::All)).await;
    for change in [
        "update fm_handler_versions set manifest = ''",
        "update fm_handler_versions set digest = digest",
        "update fm_handler_versions set number = 2",
        "update fm_components set bytes = bytes",
        "delete from fm_components",
        "update fm_handlers set canary = '1', canary_percent = 5",
        "update fm_handlers set canary_percent = 5",
        "update fm_handlers set active = 'none'",
    ] {
        assert!(f.try_execute(change).await.is_err(), "{change}");
    }
    assert_eq!(f.execute("update fm_handler_versions set activated_at = 5").await, 1);
}

async fn what_is_not_there_is_said_by_its_name(f: Fixture) {
    let (all, store) = (Activation::All, &f.store);
    for fault in [
        store.activate("h", "1", all, ACTOR).await.unwrap_err(),
        store.roll_back("h", ACTOR).await.unwrap_err(),
        store.promote_canary("h", ACTOR).await.unwrap_err(),
        store.abort_canary("h", ACTOR).await.unwrap_err(),
        store.remove_version("h", "1", ACTOR).await.unwrap_err(),
        store.remove_handler("h", true, ACTOR).await.unwrap_err(),
    ] {
        assert!(matches!(&fault, HandlerFault::UnknownHandler(name) if name == "h"), "{fault:?}");
    }
    push(&f, version(None, "a"), None).await;
    for fault in [
        store.activate("h", "2", all, ACTOR).await.unwrap_err(),
        store.remove_version("h", "2", ACTOR).await.unwrap_err(),
    ] {
        assert_eq!(fault.to_string(), "the handler \"h\" has no version \"2\"");
    }
    assert!(matches!(store.roll_back("h", ACTOR).await, Err(HandlerFault::NothingOlder(_))));
    assert_eq!(store.version("h", "2").await.unwrap(), None);
    assert_eq!(store.versions("other").await.unwrap(), []);
}
