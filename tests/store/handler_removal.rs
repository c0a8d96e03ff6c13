//! Removing handlers and versions, and what they must not be removed from under.

use crate::given::{error, insert_many, json, record};
use crate::handlers::{ACTOR, active_one_after_the_other, digest, handler, push, rows, version};
use flowmonkey_jobs::job::{NewJob, Transition};
use flowmonkey_jobs::store::{Activation, Claimed, HandlerFault, InUse, NewVersion};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    what_is_in_use_stays,
    a_version_that_a_job_is_pinned_to_stays_until_the_job_ends,
    a_component_goes_with_the_last_version_that_has_it,
    a_handler_with_jobs_is_removed_only_when_that_is_asked_for,
    jobs_that_need_something_are_counted_up_to_a_thousand,
    a_handler_goes_with_all_its_versions,
}

fn in_use(removed: Result<(), HandlerFault>) -> InUse {
    let Err(HandlerFault::InUse { why, .. }) = removed else { panic!("{removed:?}") };
    why
}

async fn create(f: &Fixture, pinned: Option<&str>) -> String {
    let job = NewJob { pinned_version: pinned.map(str::to_owned), ..NewJob::new("h", json("1")) };
    f.store.create(job).await.unwrap().job.id
}

async fn claim(f: &Fixture) -> Claimed {
    use flowmonkey_jobs::store::ClaimRequest;
    let asked = ClaimRequest { handlers: vec![crate::given::places("h")], ..crate::given::request(1) };
    f.store.claim(&asked).await.unwrap().jobs.remove(0)
}

async fn what_is_in_use_stays(f: Fixture) {
    active_one_after_the_other(&f, &["a", "b"]).await;
    push(&f, version(Some("c"), "c"), Some(Activation::Canary(5))).await;
    let before = (handler(&f).await, rows(&f).await);
    let removed = f.store.remove_version("h", "b", ACTOR).await;
    assert_eq!(
        removed.as_ref().unwrap_err().to_string(),
        "version \"b\" of \"h\" cannot be removed: it is the active version; activate another first"
    );
    assert_eq!(in_use(removed), InUse::Active);
    assert_eq!(in_use(f.store.remove_version("h", "c", ACTOR).await), InUse::Canary);
    assert_eq!((handler(&f).await, rows(&f).await), before);
    f.store.abort_canary("h", ACTOR).await.unwrap();
    f.store.remove_version("h", "c", ACTOR).await.unwrap();
    f.store.remove_version("h", "a", ACTOR).await.unwrap();
    let left = f.store.versions("h").await.unwrap();
    assert_eq!(left.iter().map(|row| row.version.as_str()).collect::<Vec<_>>(), ["b"]);
}

async fn a_version_that_a_job_is_pinned_to_stays_until_the_job_ends(f: Fixture) {
    active_one_after_the_other(&f, &["a", "b"]).await;
    // Jobs that are not pinned, or to another version, or of another handler, need it not.
    create(&f, Some("b")).await;
    let other = NewJob { pinned_version: Some("a".into()), ..NewJob::new("other", json("1")) };
    f.store.create(other).await.unwrap();
    let id = create(&f, Some("a")).await;
    f.set(&id, "priority = 0, run_at = 1").await;
    assert_eq!(in_use(f.store.remove_version("h", "a", ACTOR).await), InUse::Jobs(1));
    let claimed = claim(&f).await;
    assert_eq!(claimed.lease.job_id, id);
    assert_eq!(in_use(f.store.remove_version("h", "a", ACTOR).await), InUse::Jobs(1));
    record(&f, &claimed.lease, Transition::Fail(error("X"))).await;
    f.store.remove_version("h", "a", ACTOR).await.unwrap();
}

async fn a_component_goes_with_the_last_version_that_has_it(f: Fixture) {
    let of =
        |handler: &str, name: &str| NewVersion { handler: handler.into(), ..version(Some(name), "same") };
    for (handler, name) in [("h", "1"), ("h", "2"), ("g", "1")] {
        push(&f, of(handler, name), None).await;
    }
    let component = async || f.store.component(&digest("same")).await.unwrap();
    assert_eq!(rows(&f).await[0], 1);
    f.store.remove_version("h", "1", ACTOR).await.unwrap();
    assert!(component().await.is_some());
    f.store.remove_handler("g", false, ACTOR).await.unwrap();
    assert!(component().await.is_some());
    f.store.remove_version("h", "2", ACTOR).await.unwrap();
    assert_eq!((component().await, rows(&f).await[0]), (None, 0));
    push(&f, of("h", "3"), None).await;
    assert!(component().await.is_some());
}

async fn a_handler_with_jobs_is_removed_only_when_that_is_asked_for(f: Fixture) {
    active_one_after_the_other(&f, &["a"]).await;
    let id = create(&f, None).await;
    let before = rows(&f).await;
    assert_eq!(in_use(f.store.remove_handler("h", false, ACTOR).await), InUse::Jobs(1));
    let lease = claim(&f).await.lease;
    assert_eq!(in_use(f.store.remove_handler("h", false, ACTOR).await), InUse::Jobs(1));
    record(&f, &lease, Transition::Release).await;
    // One without an attempt left has not ended yet.
    f.set(&id, "attempts = max_attempts").await;
    assert_eq!(in_use(f.store.remove_handler("h", false, ACTOR).await), InUse::Jobs(1));
    assert_eq!(rows(&f).await, before);
    f.store.remove_handler("h", true, ACTOR).await.unwrap();
    assert_eq!(f.text("select status from fm_jobs").await.as_deref(), Some("pending"));
    active_one_after_the_other(&f, &["a"]).await;
    f.store.cancel(&id).await.unwrap();
    f.store.remove_handler("h", false, ACTOR).await.unwrap();
}

async fn jobs_that_need_something_are_counted_up_to_a_thousand(f: Fixture) {
    let new = |name| NewVersion { handler: crate::given::HANDLER.into(), ..version(Some(name), name) };
    push(&f, new("a"), None).await;
    let statuses = "case i % 3 when 0 then 'running' else 'pending' end, case i % 3 when 1 then 3 else 0 end";
    insert_many(&f, 1200, "pinned_version, status, attempts", &format!("'a', {statuses}")).await;
    let version = f.store.remove_version(crate::given::HANDLER, "a", ACTOR).await;
    assert_eq!(in_use(version), InUse::Jobs(1000));
    let handler = f.store.remove_handler(crate::given::HANDLER, false, ACTOR).await;
    assert_eq!(in_use(handler), InUse::Jobs(1000));
    f.execute("delete from fm_jobs where id not in ('job-1', 'job-2', 'job-3')").await;
    let handler = f.store.remove_handler(crate::given::HANDLER, false, ACTOR).await;
    assert_eq!(in_use(handler), InUse::Jobs(3));
}

async fn a_handler_goes_with_all_its_versions(f: Fixture) {
    active_one_after_the_other(&f, &["a", "b"]).await;
    push(&f, version(Some("c"), "c"), Some(Activation::Canary(5))).await;
    push(&f, NewVersion { handler: "other".into(), ..version(None, "x") }, None).await;
    f.store.remove_handler("h", false, ACTOR).await.unwrap();
    assert_eq!(f.store.versions("h").await.unwrap(), []);
    assert_eq!(rows(&f).await[..3], [1, 1, 1], "the other handler's");
    assert_eq!(handler(&f).await.name, "other");
}
