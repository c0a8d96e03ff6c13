//! The runner's process dies at each call of the store that writes: before it, in the middle of it, and after
//! it, when nobody has heard the answer. Another runner comes, and every job ends as it must.
//!
//! There are no hooks in the product: the process that dies is this test program again, with a store around
//! the real one that kills it.

mod client;
mod fleet;
mod killer;
mod moment;
mod process;
mod world;

use flowmonkey_jobs::job::Job;
use flowmonkey_tests::database::Fixture;
use moment::Moment::{self, After, Before, During};
use moment::Point;
use process::Hit;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use world::{CHANGED_EXECUTION, CHILD_KEY, EXPIRED_KEY, Kind, SCHEDULE, WAITING_EXECUTION, World};

macro_rules! crash_points {
    ($($name:ident: $call:literal $nth:literal $moment:expr;)*) => {
        const POINTS: &[(&str, Point)] = &[
            $((stringify!($name), Point { call: $call, nth: $nth, moment: $moment }),)*
        ];
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::survive_all(flowmonkey_tests::database::Fixture::sqlite, stringify!($name)).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::survive_all(flowmonkey_tests::database::Fixture::postgres, stringify!($name)).await;
                }
            )*
        }
    };
}

crash_points! {
    before_the_first_claim: "claim" 1 Before;
    throughout_a_claim: "claim" 1 During(1);
    after_the_first_claim: "claim" 1 After;
    after_the_second_claim: "claim" 2 After;
    before_an_announcement: "announce" 1 Before;
    after_an_announcement: "announce" 1 After;
    before_a_heartbeat: "heartbeat" 1 Before;
    after_a_heartbeat: "heartbeat" 1 After;
    before_a_completion: "record completed" 1 Before;
    before_a_step_completes: "record completed of a step" 1 Before;
    throughout_a_steps_completion: "record completed of a step" 1 During(1);
    after_a_step_completed: "record completed of a step" 1 After;
    after_a_completion: "record completed" 1 After;
    after_a_later_completion: "record completed" 3 After;
    before_a_retry: "record retried" 1 Before;
    after_a_retry: "record retried" 1 After;
    after_a_second_retry: "record retried" 2 After;
    before_a_wait: "record waiting" 1 Before;
    after_a_wait: "record waiting" 1 After;
    before_a_release: "record released" 1 Before;
    after_a_release: "record released" 1 After;
    before_a_withdrawal: "withdraw" 1 Before;
    after_a_withdrawal: "withdraw" 1 After;
    before_a_reap: "reap" 1 Before;
    throughout_a_reap: "reap" 1 During(1);
    after_a_reap: "reap" 1 After;
    before_a_purge: "purge" 1 Before;
    after_a_purge: "purge" 1 After;
    before_a_checkpoint: "save_checkpoint" 1 Before;
    throughout_a_checkpoint: "save_checkpoint" 2 During(1);
    after_a_checkpoint: "save_checkpoint" 1 After;
    after_a_later_checkpoint: "save_checkpoint" 4 After;
    before_a_checkpoint_is_deleted: "delete_checkpoint" 1 Before;
    after_a_checkpoint_is_deleted: "delete_checkpoint" 1 After;
    before_the_checkpoints_are_cleared: "clear_checkpoints" 1 Before;
    after_the_checkpoints_are_cleared: "clear_checkpoints" 1 After;
    before_progress: "progress" 1 Before;
    after_progress: "progress" 1 After;
    before_a_context_value_is_set: "set_context" 1 Before;
    after_a_context_value_is_set: "set_context" 1 After;
    before_a_context_value_is_deleted: "delete_context" 1 Before;
    after_a_context_value_is_deleted: "delete_context" 1 After;
    before_a_child_is_created: "create_child" 1 Before;
    throughout_a_childs_creation: "create_child" 1 During(1);
    after_a_child_is_created: "create_child" 1 After;
    before_a_key_is_recorded: "record_idempotency" 1 Before;
    throughout_a_keys_recording: "record_idempotency" 1 During(1);
    after_a_key_is_recorded: "record_idempotency" 1 After;
    before_expired_keys_are_forgotten: "forget_expired" 1 Before;
    after_expired_keys_are_forgotten: "forget_expired" 1 After;
    before_a_schedule_fires: "fire" 1 Before;
    throughout_a_schedules_firing: "fire" 1 During(1);
    after_a_schedule_fires: "fire" 1 After;
}

/// The process that dies; nothing when nobody told it how.
#[test]
fn runner() {
    let Some(part) = process::part() else { return };
    let (name, moment) = part.split_once(' ').unwrap();
    let point = Point { moment: Moment::from_text(moment), ..point(name) };
    process::play(|store| fleet::work_until(point, store));
}

fn point(name: &str) -> Point {
    POINTS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// What happens during a call is tried at each of its waits, until it ends before it has waited so often.
async fn survive_all(fresh: impl AsyncFn() -> Fixture, name: &str) {
    let point = point(name);
    let Moment::During(first) = point.moment else {
        survive(&fresh().await, name, &point).await;
        return;
    };
    for waits in first.. {
        let point = Point { moment: During(waits), ..point };
        if survive(&fresh().await, name, &point).await {
            return;
        }
    }
}

/// Returns whether the call had come to its end.
async fn survive(f: &Fixture, name: &str, point: &Point) -> bool {
    let world = World::prepare(f).await;
    let hit = process::until_killed(f, "points::runner", &format!("{name} {}", point.moment.to_text())).await;
    let at_death = world.look(f).await;
    check_death(f, &world, point, &hit, &at_death).await;
    fleet::finish(f, &world).await;
    for ((kind, before), (_, after)) in at_death.iter().zip(world.look(f).await) {
        let job = after.unwrap();
        world::check_end(*kind, before.as_ref(), &job);
        let expected = world::must_become(*kind, before.as_ref());
        assert_eq!(world::history(Some(&job)), expected, "{before:#?} became {job:#?}");
    }
    check_surroundings(f).await;
    hit.ended
}

/// Whether the write at which the process died stands is what the moment says.
async fn check_death(f: &Fixture, world: &World, point: &Point, hit: &Hit, at_death: &[(Kind, Option<Job>)]) {
    let jobs: Vec<&Job> = at_death.iter().filter_map(|(_, job)| job.as_ref()).collect();
    let ran = |runner: &str| jobs.iter().any(|job| job.runner_id.as_deref() == Some(runner));
    let count = async |sql: &str| f.number(&format!("select count(*) from {sql}")).await > 0;
    let stands = match point.call {
        "claim" if point.nth == 1 => ran(fleet::FIRST),
        // Which jobs, or that it is later than another beat, only the dead one knew.
        "claim" | "heartbeat" => return,
        "announce" | "withdraw" => {
            let there = count(&format!("fm_runners where id = '{}'", fleet::FIRST)).await;
            there == (point.call == "announce")
        }
        "reap" => {
            let stalled = jobs.iter().find(|job| job.id == world.stalled).unwrap();
            !stalled.history.is_empty()
        }
        "purge" => !count(&format!("fm_jobs where id = '{}'", world.old)).await,
        "forget_expired" => !count(&format!("fm_idempotency where key = '{EXPIRED_KEY}'")).await,
        "fire" => count(&format!("fm_jobs where schedule = '{SCHEDULE}'")).await,
        _ => {
            assert!(!hit.leases.is_empty(), "{}: the call names no lease", point.call);
            for lease in &hit.leases {
                let job = jobs.iter().find(|job| job.id == lease.job_id).unwrap();
                let stands = match point.call.strip_prefix("record ") {
                    Some(kind) => job.history.iter().any(|entry| {
                        entry.instance_id == lease.instance_id && kind.starts_with(&entry.outcome)
                    }),
                    None => guests_write_stands(f, point.call, &hit.wrote, job).await,
                };
                // A job that is pending again has no fence any more, or that of its next claim, which the same process
                // may have made before it died.
                let fence = job.instance_id.as_deref();
                let is_next = point.call == "record retried" && stands;
                assert!(is_next || fence.is_none_or(|fence| fence == lease.instance_id), "{job:#?}");
                point.moment.check(stands, &format!("{point:?} {job:#?}"));
            }
            return;
        }
    };
    point.moment.check(stands, &format!("{point:?}"));
}

async fn guests_write_stands(f: &Fixture, call: &str, wrote: &Value, job: &Job) -> bool {
    let key = wrote[0].as_str().unwrap_or_default();
    let context = async || {
        let execution = f.store.execution(CHANGED_EXECUTION).await.unwrap().unwrap();
        serde_json::from_str::<Value>(execution.context.as_str()).unwrap()
    };
    match call {
        "save_checkpoint" => world::checkpoint(job).get(key) == Some(&wrote[1]),
        "delete_checkpoint" => world::checkpoint(job).get(key).is_none(),
        "clear_checkpoints" => world::checkpoint(job).as_object().is_none_or(|all| all.is_empty()),
        "progress" => job.progress.as_ref().is_some_and(|progress| json!(progress.message) == *wrote),
        "set_context" => context().await.get(key) == Some(&wrote[1]),
        "delete_context" => context().await.get(key).is_none(),
        "create_child" => {
            f.number(&format!("select count(*) from fm_jobs where unique_key = '{key}'")).await > 0
        }
        "record_idempotency" => {
            let value = f.text(&format!("select max(value) from fm_idempotency where key = '{key}'")).await;
            let value = value.map(|value| serde_json::from_str::<Value>(&value).unwrap());
            value.as_ref() == Some(&wrote[1])
        }
        other => panic!("say how to see that {other} stands"),
    }
}

/// What the jobs leave beyond themselves, each of it once.
async fn check_surroundings(f: &Fixture) {
    let fired = format!("select count(*) from fm_jobs where schedule = '{SCHEDULE}'");
    assert_eq!(f.number(&fired).await, 1, "a slot creates one job");
    let woken = format!("select count(*) from wakes where execution = '{WAITING_EXECUTION}'");
    assert_eq!(f.number(&woken).await, 1, "an execution is woken once");
    let context = async |id: &str| -> Value {
        let execution = f.store.execution(id).await.unwrap().unwrap();
        serde_json::from_str(execution.context.as_str()).unwrap()
    };
    assert_eq!(context(WAITING_EXECUTION).await["mail"]["sent"], true, "it has the step's result");
    assert_eq!(context(CHANGED_EXECUTION).await["k"], 2);
    let children = format!("select count(*) from fm_jobs where unique_key = '{CHILD_KEY}'");
    assert_eq!(f.number(&children).await, 1, "a parent that runs again creates no second child");
    let left = format!("select count(*) from fm_runners where id <> '{}'", fleet::FIRST);
    assert_eq!(f.number(&left).await, 0, "the second one withdrew");
}

/// What writes nothing, or nothing that a crash could part.
const READ: &[&str] = &[
    "get",
    "list",
    "find_stalled",
    "runners",
    "stats",
    "listen",
    "lease_states",
    "context_value",
    "context_keys",
    "look_up_idempotency",
    "execution",
    "by_execution",
    "now",
    "schedules",
    "schedule",
    "due_schedules",
    "handler_row",
    "handler_rows",
    "versions",
    "version",
    "component",
    "audit",
];

/// A method that is new to the traits is read only, or has its crash points.
#[test]
fn every_call_that_writes_has_its_crash_points() {
    let source = |file: &str| {
        let path = format!("{}/../host/src/store{file}.rs", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let text = ["", "/effect", "/execution", "/handler", "/schedule"].map(source).concat();
    let methods = text.lines().filter_map(|line| line.strip_prefix("    async fn "));
    let methods: BTreeSet<&str> = methods.map(|line| line.split('(').next().unwrap()).collect();
    let read = READ.iter().copied().collect::<BTreeSet<_>>();
    for moment in [Before, After] {
        let here = POINTS.iter().map(|(_, point)| *point).filter(|point| point.moment == moment);
        let mut dies: BTreeSet<&str> = here.map(|point| point.call.split(' ').next().unwrap()).collect();
        dies.extend(client::CALLS.iter().filter(|call| **call != client::COMMIT));
        let known: BTreeSet<&str> = dies.union(&read).copied().collect();
        assert_eq!(methods, known, "{moment:?}: each method is read only or has a crash point");
        assert!(dies.is_disjoint(&read));
    }
}
