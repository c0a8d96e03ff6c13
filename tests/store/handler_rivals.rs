//! Several who change handlers at once.

use crate::handlers::{ACTOR, active_one_after_the_other, digest, handler, push, rows, version};
use crate::hold::{blocked, start};
use flowmonkey_jobs::store::{Activation, HandlerFault, NewVersion};
use flowmonkey_tests::database::Fixture;
use sqlx::AssertSqlSafe;
use std::collections::BTreeSet;

on_both_stores! {
    of_many_pushes_at_once_each_gets_a_number,
    of_many_pushes_of_the_same_one_is_new,
    whoever_pushes_and_removes_at_once_leaves_nothing_behind,
}

on_postgres! {
    a_push_waits_for_a_rival_that_changes_the_handler,
    a_change_that_waited_decides_by_what_it_waited_for,
    a_component_that_a_push_is_about_to_use_is_not_removed,
    a_component_that_is_being_removed_is_stored_again,
    a_push_under_way_is_seen_by_nobody,
}

const RIVALS: usize = 6;

async fn of_many_pushes_at_once_each_gets_a_number(f: Fixture) {
    let pushes: Vec<_> = (0..RIVALS)
        .map(|at| {
            let new = version(None, &format!("component {at}"));
            start(&f, |store| async move {
                store.push_version(&new, Some(Activation::All), ACTOR).await.unwrap().version
            })
        })
        .collect();
    let mut names = BTreeSet::new();
    for push in pushes {
        names.insert(push.await.unwrap());
    }
    assert_eq!(names, (1..=RIVALS).map(|number| number.to_string()).collect());
    let row = handler(&f).await;
    assert_eq!((row.revision, row.active), (RIVALS as i64, Some(RIVALS.to_string())));
    assert_eq!(rows(&f).await[3], 2 * RIVALS as i64);
}

async fn of_many_pushes_of_the_same_one_is_new(f: Fixture) {
    let pushes: Vec<_> = (0..RIVALS)
        .map(|_| start(&f, |store| async move { store.push_version(&version(None, "a"), None, ACTOR).await }))
        .collect();
    let mut new = 0;
    for push in pushes {
        let pushed = push.await.unwrap().unwrap();
        assert_eq!(pushed.version, "1");
        new += usize::from(pushed.is_new);
    }
    assert_eq!((new, rows(&f).await), (1, [1, 1, 1, 1]));
}

/// Three handlers that share two components, in all orders.
async fn whoever_pushes_and_removes_at_once_leaves_nothing_behind(f: Fixture) {
    let rivals: Vec<_> = (0..RIVALS)
        .map(|rival| {
            start(&f, move |store| async move {
                for step in 0..20 {
                    let handler = format!("handler-{}", (rival + step) % 3);
                    let component = ["a", "b"][(rival / 2 + step) % 2];
                    let new = NewVersion { handler: handler.clone(), ..version(None, component) };
                    let pushed = store.push_version(&new, None, ACTOR).await.unwrap().version;
                    let removed = match step % 3 {
                        0 => store.remove_version(&handler, &pushed, ACTOR).await,
                        1 => store.remove_handler(&handler, true, ACTOR).await,
                        _ => store.activate(&handler, &pushed, Activation::All, ACTOR).await,
                    };
                    if let Err(HandlerFault::Store(error)) = removed {
                        panic!("{error}");
                    }
                }
            })
        })
        .collect();
    for rival in rivals {
        rival.await.unwrap();
    }
    let orphans = "select count(*) from fm_components
        where digest not in (select digest from fm_handler_versions)";
    assert_eq!(f.number(orphans).await, 0);
    for row in f.store.handler_rows().await.unwrap() {
        f.store.remove_handler(&row.name, true, ACTOR).await.unwrap();
    }
    assert_eq!(rows(&f).await[..3], [0, 0, 0]);
}

async fn a_push_waits_for_a_rival_that_changes_the_handler(f: Fixture) {
    active_one_after_the_other(&f, &["a", "b"]).await;
    let mut rival = f.pg().begin().await.unwrap();
    sqlx::query("update fm_handlers set active = 'a'").execute(&mut *rival).await.unwrap();
    let push = start(&f, |store| async move {
        store.push_version(&version(Some("c"), "c"), Some(Activation::Canary(5)), ACTOR).await
    });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    push.await.unwrap().unwrap();
    let row = handler(&f).await;
    assert_eq!((row.active.as_deref(), row.canary), (Some("a"), Some(("c".to_owned(), 5))));
}

async fn a_change_that_waited_decides_by_what_it_waited_for(f: Fixture) {
    active_one_after_the_other(&f, &["a", "b"]).await;
    let mut rival = f.pg().begin().await.unwrap();
    sqlx::query("update fm_handlers set active = 'a'").execute(&mut *rival).await.unwrap();
    let remove = start(&f, |store| async move { store.remove_version("h", "a", ACTOR).await });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    assert!(matches!(remove.await.unwrap(), Err(HandlerFault::InUse { .. })));
    // The same when the handler itself is gone by then.
    let mut rival = f.pg().begin().await.unwrap();
    sqlx::query("delete from fm_handlers").execute(&mut *rival).await.unwrap();
    let activate = start(&f, |store| async move { store.activate("h", "b", Activation::All, ACTOR).await });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    assert!(matches!(activate.await.unwrap(), Err(HandlerFault::UnknownHandler(_))));
}

/// What a push of another handler that has the same component does, up to its commit.
fn push_of_another() -> AssertSqlSafe<String> {
    let digest = digest("a");
    AssertSqlSafe(format!(
        "insert into fm_handlers (name, revision, updated_by) values ('other', 1, 'rival');
        select digest from fm_components where digest = '{digest}' for key share;
        insert into fm_handler_versions (handler, version, number, digest, manifest, pushed_by)
        values ('other', '1', 1, '{digest}', '', 'rival')"
    ))
}

async fn a_component_that_a_push_is_about_to_use_is_not_removed(f: Fixture) {
    push(&f, version(None, "a"), None).await;
    let mut rival = f.pg().begin().await.unwrap();
    sqlx::raw_sql(push_of_another()).execute(&mut *rival).await.unwrap();
    let remove = start(&f, |store| async move { store.remove_version("h", "1", ACTOR).await });
    blocked(f.pg()).await;
    rival.commit().await.unwrap();
    remove.await.unwrap().unwrap();
    assert!(f.store.component(&digest("a")).await.unwrap().is_some());
    assert_eq!(f.store.version("other", "1").await.unwrap().unwrap().component_bytes, 1);
}

async fn a_component_that_is_being_removed_is_stored_again(f: Fixture) {
    push(&f, version(None, "a"), None).await;
    for _ in 0..2 {
        let mut rival = f.pg().begin().await.unwrap();
        let remove = "delete from fm_handlers where name = 'h'; delete from fm_components";
        sqlx::raw_sql(remove).execute(&mut *rival).await.unwrap();
        let new = NewVersion { handler: "other".into(), ..version(None, "a") };
        let push = start(&f, |store| async move { store.push_version(&new, None, ACTOR).await });
        blocked(f.pg()).await;
        rival.commit().await.unwrap();
        push.await.unwrap().unwrap();
        assert_eq!(f.store.component(&digest("a")).await.unwrap().unwrap(), b"a");
        f.store.remove_handler("other", false, ACTOR).await.unwrap();
        crate::handlers::push(&f, version(None, "a"), None).await;
    }
}

async fn a_push_under_way_is_seen_by_nobody(f: Fixture) {
    let mut rival = f.pg().begin().await.unwrap();
    let insert = "insert into fm_handlers (name, revision, updated_by) values ('h', 1, 'rival')";
    sqlx::query(insert).execute(&mut *rival).await.unwrap();
    assert_eq!(f.store.handler_rows().await.unwrap(), []);
    let push = start(&f, |store| async move { store.push_version(&version(None, "a"), None, ACTOR).await });
    blocked(f.pg()).await;
    assert_eq!(f.store.versions("h").await.unwrap(), []);
    rival.rollback().await.unwrap();
    assert!(push.await.unwrap().unwrap().is_new);
}
