//! What operators do with handlers in the database. Each change is there as a whole, its line in the audit
//! trail included, or not at all.

use super::HANDLER;
use flowmonkey_jobs::store::{Activation, HandlerFault, NewVersion, Store};
use flowmonkey_tests::database::Fixture;

const ACTOR: &str = "operator";

/// Larger than what one message to the database carries.
fn version(name: &str) -> NewVersion {
    NewVersion {
        handler: HANDLER.into(),
        version: Some(name.into()),
        digest: name.repeat(64),
        component: name.as_bytes().repeat(100_000),
        manifest: String::new(),
        metadata: None,
        schemas: None,
        signature: None,
        source: None,
    }
}

/// Two versions: the second is active, or a canary.
pub(super) async fn prepare(f: &Fixture, call: &str) {
    let second = match call {
        "push_version" => return,
        "promote_canary" | "abort_canary" => Some(Activation::Canary(10)),
        "activate" => None,
        _ => Some(Activation::All),
    };
    if ["activate", "roll_back", "promote_canary", "abort_canary", "remove_version", "remove_handler"]
        .contains(&call)
    {
        f.store.push_version(&version("1"), Some(Activation::All), ACTOR).await.unwrap();
        f.store.push_version(&version("2"), second, ACTOR).await.unwrap();
        f.execute("delete from fm_handler_audit").await;
    }
}

/// Asked again after it was done, some of them have nothing left to do.
pub(super) async fn ask(store: &dyn Store, call: &str) {
    let asked = match call {
        "push_version" => store.push_version(&version("1"), Some(Activation::All), ACTOR).await.map(drop),
        "activate" => store.activate(HANDLER, "2", Activation::All, ACTOR).await,
        "roll_back" => store.roll_back(HANDLER, ACTOR).await.map(drop),
        "promote_canary" => store.promote_canary(HANDLER, ACTOR).await.map(drop),
        "abort_canary" => store.abort_canary(HANDLER, ACTOR).await.map(drop),
        "set_handler_paused" => store.set_handler_paused(HANDLER, true, ACTOR).await.map(drop),
        "remove_version" => store.remove_version(HANDLER, "1", ACTOR).await,
        "remove_handler" => store.remove_handler(HANDLER, false, ACTOR).await,
        other => panic!("say how a client asks for {other}"),
    };
    if let Err(HandlerFault::Store(error)) = asked {
        panic!("{call}: {error}");
    }
}

/// Each part is counted that the call leaves behind; its line in the audit trail is one.
pub(super) fn found(call: &str) -> (&'static str, i64) {
    match call {
        "push_version" => (
            "(select 1 from fm_components union all select 1 from fm_handler_versions
            union all select 1 from fm_handlers where active = '1' union all select 1 from fm_handler_audit)
            as parts",
            5,
        ),
        "activate" | "promote_canary" => (
            "(select 1 from fm_handlers where active = '2' and canary is null
            union all select 1 from fm_handler_versions where version = '2' and activated_at is not null
            union all select 1 from fm_handler_audit) as parts",
            3,
        ),
        "roll_back" => (
            "(select 1 from fm_handlers where active = '1' union all select 1 from fm_handler_audit) as parts",
            2,
        ),
        "abort_canary" => (
            "(select 1 from fm_handlers where canary is null union all select 1 from fm_handler_audit)
            as parts",
            2,
        ),
        "set_handler_paused" => (
            "(select 1 from fm_handlers where paused = (1 = 1) union all select 1 from fm_handler_audit)
            as parts",
            2,
        ),
        "remove_version" => (
            "(select 1 where not exists (select 1 from fm_components where digest like '1%')
            union all select 1 where not exists (select 1 from fm_handler_versions where version = '1')
            union all select 1 from fm_handler_audit) as parts",
            3,
        ),
        "remove_handler" => (
            "(select 1 where not exists (select 1 from fm_components)
            union all select 1 where not exists (select 1 from fm_handler_versions)
            union all select 1 where not exists (select 1 from fm_handlers)
            union all select 1 from fm_handler_audit) as parts",
            4,
        ),
        other => panic!("say how to see that {other} is done"),
    }
}
