//! Handlers in the database: which version is active, and who changed that.

use crate::handlers::{ACTOR, active, active_one_after_the_other, digest, handler, push, rows, version};
use flowmonkey_jobs::store::{Activation, HandlerFault, StoreError};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    going_back_twice_goes_further_back,
    a_canary_is_promoted_or_aborted,
    a_canary_that_cannot_run_is_refused_with_the_push,
    asking_for_what_is_so_already_changes_nothing,
    a_pause_needs_no_version,
    every_change_is_in_the_audit_trail,
    the_audit_trail_outlives_the_handler,
}

async fn audited(f: &Fixture, handler: Option<&str>) -> Vec<String> {
    let lines = f.store.audit(handler, 100).await.unwrap().into_iter().rev();
    let shown = |text: Option<String>| text.unwrap_or("-".into());
    lines
        .map(|line| {
            format!("{} {} {}: {}", line.handler, shown(line.version), line.action, shown(line.detail))
        })
        .collect()
}

async fn going_back_twice_goes_further_back(f: Fixture) {
    active_one_after_the_other(&f, &["a", "b", "c"]).await;
    // One that was never active is passed over.
    push(&f, version(Some("never"), "never"), None).await;
    active_one_after_the_other(&f, &["d"]).await;
    for expected in ["c", "b", "a"] {
        assert_eq!(f.store.roll_back("h", ACTOR).await.unwrap(), expected);
        assert_eq!(active(&f).await, expected);
    }
    assert!(matches!(f.store.roll_back("h", ACTOR).await, Err(HandlerFault::NothingOlder(_))));
    assert_eq!(active(&f).await, "a");
    // From a version that is activated again it goes back by the order of pushes.
    f.store.activate("h", "d", Activation::All, ACTOR).await.unwrap();
    push(&f, version(Some("e"), "e"), Some(Activation::Canary(10))).await;
    assert_eq!(f.store.roll_back("h", ACTOR).await.unwrap(), "c");
    assert_eq!(handler(&f).await.canary, None, "a canary ends");
    push(&f, version(Some("of another"), "x"), None).await;
}

async fn a_canary_is_promoted_or_aborted(f: Fixture) {
    active_one_after_the_other(&f, &["a"]).await;
    push(&f, version(Some("b"), "b"), Some(Activation::Canary(5))).await;
    let row = handler(&f).await;
    assert_eq!((row.active.as_deref(), row.canary), (Some("a"), Some(("b".to_owned(), 5))));
    assert_eq!(f.store.version("h", "b").await.unwrap().unwrap().activated_at, None);
    f.store.activate("h", "b", Activation::Canary(99), ACTOR).await.unwrap();
    assert_eq!(handler(&f).await.canary, Some(("b".to_owned(), 99)));
    assert_eq!(f.store.abort_canary("h", ACTOR).await.unwrap(), "b");
    assert_eq!(handler(&f).await.canary, None);
    // What only was a canary is nothing to go back to.
    assert!(matches!(f.store.roll_back("h", ACTOR).await, Err(HandlerFault::NothingOlder(_))));
    f.store.activate("h", "b", Activation::Canary(1), ACTOR).await.unwrap();
    assert_eq!(f.store.promote_canary("h", ACTOR).await.unwrap(), "b");
    let row = handler(&f).await;
    assert_eq!((row.active.as_deref(), row.canary), (Some("b"), None));
    assert!(f.store.version("h", "b").await.unwrap().unwrap().activated_at.is_some());
    for again in [f.store.promote_canary("h", ACTOR).await, f.store.abort_canary("h", ACTOR).await] {
        assert!(matches!(again, Err(HandlerFault::NoCanary(_))), "{again:?}");
    }
    assert_eq!(f.store.roll_back("h", ACTOR).await.unwrap(), "a");
}

async fn a_canary_that_cannot_run_is_refused_with_the_push(f: Fixture) {
    let pushed = f.store.push_version(&version(None, "a"), Some(Activation::Canary(5)), ACTOR).await;
    assert!(matches!(pushed, Err(HandlerFault::NothingBeside(_))), "{pushed:?}");
    assert_eq!(rows(&f).await, [0; 4]);
    active_one_after_the_other(&f, &["a"]).await;
    let before = rows(&f).await;
    for percent in [0, 100] {
        let pushed =
            f.store.push_version(&version(None, "b"), Some(Activation::Canary(percent)), ACTOR).await;
        assert!(matches!(pushed, Err(HandlerFault::Store(StoreError::Invalid(_)))), "{pushed:?}");
    }
    let own = f.store.activate("h", "a", Activation::Canary(5), ACTOR).await;
    assert!(matches!(own, Err(HandlerFault::Store(StoreError::Invalid(_)))), "{own:?}");
    assert_eq!(rows(&f).await, before);
}

async fn asking_for_what_is_so_already_changes_nothing(f: Fixture) {
    active_one_after_the_other(&f, &["a", "b"]).await;
    f.store.activate("h", "a", Activation::Canary(5), ACTOR).await.unwrap();
    f.store.set_handler_paused("h", true, ACTOR).await.unwrap();
    let (before, counted) = (handler(&f).await, rows(&f).await);
    f.store.activate("h", "a", Activation::Canary(5), "somebody else").await.unwrap();
    assert!(!f.store.set_handler_paused("h", true, "somebody else").await.unwrap());
    push(&f, version(Some("a"), "a"), Some(Activation::Canary(5))).await;
    assert_eq!((handler(&f).await, rows(&f).await), (before, counted));
    // The active one, asked for again, ends the canary.
    f.store.activate("h", "b", Activation::All, ACTOR).await.unwrap();
    let before = handler(&f).await;
    assert_eq!((before.active.as_deref(), &before.canary), (Some("b"), &None));
    f.store.activate("h", "b", Activation::All, "somebody else").await.unwrap();
    assert_eq!(handler(&f).await, before);
}

async fn a_pause_needs_no_version(f: Fixture) {
    assert!(!f.store.set_handler_paused("h", false, ACTOR).await.unwrap());
    assert_eq!(rows(&f).await, [0; 4]);
    assert!(f.store.set_handler_paused("h", true, ACTOR).await.unwrap());
    let row = handler(&f).await;
    assert_eq!((row.active, row.paused), (None, true));
    // A push to a paused handler leaves it paused.
    push(&f, version(None, "a"), Some(Activation::All)).await;
    assert!(handler(&f).await.paused);
    assert!(f.store.set_handler_paused("h", false, ACTOR).await.unwrap());
    assert!(!handler(&f).await.paused);
}

async fn every_change_is_in_the_audit_trail(f: Fixture) {
    active_one_after_the_other(&f, &["a", "b"]).await;
    f.store.roll_back("h", ACTOR).await.unwrap();
    for (percent, promotes) in [(5, false), (7, true)] {
        f.store.activate("h", "b", Activation::Canary(percent), ACTOR).await.unwrap();
        let done = if promotes {
            f.store.promote_canary("h", ACTOR).await
        } else {
            f.store.abort_canary("h", ACTOR).await
        };
        done.unwrap();
    }
    f.store.remove_version("h", "a", ACTOR).await.unwrap();
    f.store.set_handler_paused("g", true, "bob").await.unwrap();
    f.store.set_handler_paused("g", false, "bob").await.unwrap();
    let expected = [
        format!("h a pushed: {}", digest("a")),
        "h a activated: -".into(),
        format!("h b pushed: {}", digest("b")),
        "h b activated: instead of a".into(),
        "h a rolled-back: instead of b".into(),
        "h b canary: 5 %".into(),
        "h b aborted: 5 %".into(),
        "h b canary: 7 %".into(),
        "h b promoted: instead of a".into(),
        format!("h a removed: {}", digest("a")),
        "g - paused: -".into(),
        "g - resumed: -".into(),
    ];
    assert_eq!(audited(&f, None).await, expected);
    assert_eq!(audited(&f, Some("g")).await, expected[10..]);
    let newest = f.store.audit(None, 1).await.unwrap();
    assert_eq!((newest.len(), newest[0].actor.as_str()), (1, "bob"));
    assert!(newest[0].at <= f.now().await);
}

async fn the_audit_trail_outlives_the_handler(f: Fixture) {
    active_one_after_the_other(&f, &["a"]).await;
    let before = handler(&f).await.revision;
    f.store.remove_handler("h", false, ACTOR).await.unwrap();
    assert_eq!(f.store.handler_rows().await.unwrap(), []);
    assert_eq!(audited(&f, Some("h")).await.last().unwrap(), "h - removed: -");
    push(&f, version(None, "a"), None).await;
    assert!(handler(&f).await.revision > before, "a revision never comes again");
}
