//! Handlers that are paused: their jobs stay pending.

use crate::given::{HANDLER, claim, get, pending, places, record, request, running};
use crate::handlers::ACTOR;
use crate::notices::told;
use flowmonkey_jobs::job::{NewJob, Status, Transition};
use flowmonkey_jobs::store::{Activation, ClaimRequest, HandlerPlaces, LeaseState, Notice, Recorded};
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    a_paused_handlers_jobs_stay_pending,
    other_handlers_go_on,
    what_runs_goes_on,
    a_bounded_handler_pauses_too,
    each_change_of_a_handler_is_told_of,
}

on_postgres! {
    what_other_programs_change_of_handlers_is_told_of,
}

async fn pause(f: &Fixture, paused: bool) {
    assert!(f.store.set_handler_paused(HANDLER, paused, ACTOR).await.unwrap());
}

async fn a_paused_handlers_jobs_stay_pending(f: Fixture) {
    let id = pending(&f).await.id;
    pause(&f, true).await;
    let claimed = f.store.claim(&request(10)).await.unwrap();
    assert!(claimed.jobs.is_empty() && !claimed.more);
    assert_eq!(get(&f, &id).await.status, Status::Pending);
    pause(&f, false).await;
    assert_eq!(claim(&f, 10).await.len(), 1);
}

async fn other_handlers_go_on(f: Fixture) {
    pending(&f).await;
    f.store.create(NewJob::new("other", crate::given::json("1"))).await.unwrap();
    pause(&f, true).await;
    let asked = ClaimRequest { handlers: vec![places(HANDLER), places("other")], ..request(1) };
    let claimed = f.store.claim(&asked).await.unwrap();
    assert_eq!((claimed.jobs.len(), claimed.jobs[0].handler.as_str()), (1, "other"));
    // What is paused neither takes the limit's places nor is looked for again.
    assert!(f.store.claim(&asked).await.unwrap().jobs.is_empty());
}

async fn what_runs_goes_on(f: Fixture) {
    let lease = running(&f).await;
    pause(&f, true).await;
    assert_eq!(f.store.heartbeat(std::slice::from_ref(&lease)).await.unwrap(), [LeaseState::Held]);
    assert_eq!(record(&f, &lease, Transition::Release).await, Recorded::Written);
    assert!(claim(&f, 10).await.is_empty());
}

async fn a_bounded_handler_pauses_too(f: Fixture) {
    pending(&f).await;
    pause(&f, true).await;
    let bounded = HandlerPlaces { fleet_max: Some(5), ..places(HANDLER) };
    let asked = ClaimRequest { handlers: vec![bounded], ..request(10) };
    let claimed = f.store.claim(&asked).await.unwrap();
    assert!(claimed.jobs.is_empty() && !claimed.more);
    pause(&f, false).await;
    assert_eq!(f.store.claim(&asked).await.unwrap().jobs.len(), 1);
}

async fn each_change_of_a_handler_is_told_of(f: Fixture) {
    use crate::handlers::version;
    let store = &f.store;
    let mut notices = store.listen().await.unwrap();
    let (all, some) = (Some(Activation::All), Activation::Canary(5));
    let heard = [Notice::Handlers];
    for (name, activation) in [("a", all), ("b", all), ("c", None)] {
        store.push_version(&version(Some(name), name), activation, ACTOR).await.unwrap();
        assert_eq!(told(&f, &mut notices).await, heard, "{name}");
    }
    store.roll_back("h", ACTOR).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, heard);
    store.activate("h", "b", some, ACTOR).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, heard);
    store.promote_canary("h", ACTOR).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, heard);
    store.remove_version("h", "c", ACTOR).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, heard);
    store.set_handler_paused("h", true, ACTOR).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, heard);
    // What changes nothing is not told of.
    store.set_handler_paused("h", true, ACTOR).await.unwrap();
    store.push_version(&version(Some("b"), "b"), all, ACTOR).await.unwrap();
    store.promote_canary("h", ACTOR).await.unwrap_err();
    store.push_version(&version(None, "d"), Some(Activation::Canary(0)), ACTOR).await.unwrap_err();
    assert_eq!(told(&f, &mut notices).await, []);
    store.remove_handler("h", false, ACTOR).await.unwrap();
    assert_eq!(told(&f, &mut notices).await, heard);
}

async fn what_other_programs_change_of_handlers_is_told_of(f: Fixture) {
    let mut notices = f.store.listen().await.unwrap();
    for change in [
        "insert into fm_handlers (name, revision, updated_by) values ('x', 1, 'sql')",
        "update fm_handlers set paused = true",
        "delete from fm_handlers",
    ] {
        f.execute(change).await;
        assert_eq!(told(&f, &mut notices).await, [Notice::Handlers], "{change}");
    }
}
