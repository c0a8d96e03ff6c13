//! Schedules from the slot to the finished job.

use crate::fleet::{self, MAIL, on_both_stores};
use flowmonkey_jobs::job::{JsonText, Status};
use flowmonkey_jobs::scheduler::{ScheduleError, Scheduler, SchedulerSettings};
use flowmonkey_jobs::store::{ListFilter, Missed, NewSchedule, SharedStore};
use flowmonkey_tests::database::Fixture;
use flowmonkey_tests::program::PATIENCE;
use std::time::Duration;

on_both_stores! {
    a_slot_fires_once_however_many_nodes_look
    missed_slots_fire_as_the_policy_says
    a_paused_schedule_misses_nothing
    what_cannot_be_a_schedule_is_refused_and_not_stored
    saying_the_same_again_keeps_the_next_slot
}

const QUICK: SchedulerSettings = SchedulerSettings { check_interval: Duration::from_millis(5) };
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn daily(name: &str) -> NewSchedule {
    NewSchedule::new(name, "@daily", "email-send", JsonText::parse(MAIL).unwrap())
}

async fn made_due(f: &Fixture, name: &str, days: i64) {
    let ms = days * DAY_MS;
    let sql = format!("update fm_schedules set next_at = next_at - {ms} where name = '{name}'");
    assert_eq!(f.execute(&sql).await, 1);
}

async fn jobs(store: &SharedStore) -> Vec<flowmonkey_jobs::job::Job> {
    store.list(&ListFilter { limit: 1000, ..ListFilter::default() }).await.unwrap()
}

/// Until the schedule has moved past now.
async fn moved_on(f: &Fixture, name: &str) {
    let look = async {
        while f.store.schedule(name).await.unwrap().unwrap().next_at.unwrap() <= f.now().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap();
}

async fn a_slot_fires_once_however_many_nodes_look(f: Fixture) {
    let scheduler = Scheduler::new(f.store.clone());
    for n in 0..20 {
        scheduler.schedule_recurring(&daily(&format!("s{n}"))).await.unwrap();
        made_due(&f, &format!("s{n}"), 1).await;
    }
    let nodes: Vec<_> = (0..4).map(|_| scheduler.start(QUICK)).collect();
    let runner = fleet::runner(&f.store, &fleet::catalog(5)).build().unwrap();
    runner.start();
    fleet::until("all have run", || runner.completed_count() >= 20).await;
    for node in nodes {
        node.stop().await;
    }
    runner.stop().await;
    let jobs = jobs(&f.store).await;
    assert_eq!(jobs.len(), 20, "each slot fired once");
    for job in jobs {
        assert_eq!((job.status, job.attempts), (Status::Completed, 1));
        assert_eq!(job.run_at.unwrap() % DAY_MS, 0, "the slot is when it was due");
    }
}

async fn missed_slots_fire_as_the_policy_says(f: Fixture) {
    let scheduler = Scheduler::new(f.store.clone());
    for (name, missed) in [("skip", Missed::Skip), ("once", Missed::Once), ("all", Missed::All)] {
        let schedule = NewSchedule { missed, missed_max: 4, ..daily(name) };
        scheduler.schedule_recurring(&schedule).await.unwrap();
        // Its slots of ten days have passed; the last one may have been a moment ago only at midnight.
        made_due(&f, name, 10).await;
    }
    let node = scheduler.start(QUICK);
    for name in ["skip", "once", "all"] {
        moved_on(&f, name).await;
    }
    node.stop().await;
    let mut slots: Vec<(String, i64)> = jobs(&f.store)
        .await
        .into_iter()
        .map(|job| (job.schedule.unwrap(), job.run_at.unwrap() / DAY_MS))
        .collect();
    slots.sort();
    let today = f.now().await / DAY_MS;
    let expected: Vec<(String, i64)> = [3, 2, 1, 0]
        .into_iter()
        .map(|ago| ("all".to_owned(), today - ago))
        .chain([("once".to_owned(), today)])
        .collect();
    assert_eq!(slots, expected);
}

async fn a_paused_schedule_misses_nothing(f: Fixture) {
    let scheduler = Scheduler::new(f.store.clone());
    scheduler.schedule_recurring(&daily("s")).await.unwrap();
    assert!(scheduler.pause("s").await.unwrap());
    made_due(&f, "s", 3).await;
    let other = NewSchedule { missed: Missed::All, ..daily("other") };
    scheduler.schedule_recurring(&other).await.unwrap();
    made_due(&f, "other", 1).await;
    let node = scheduler.start(QUICK);
    moved_on(&f, "other").await;
    assert!(scheduler.list(3).await.unwrap().iter().any(|one| one.schedule.paused && one.next.is_empty()));
    assert!(scheduler.resume("s").await.unwrap());
    moved_on(&f, "s").await;
    node.stop().await;
    let seen: Vec<_> = jobs(&f.store).await.into_iter().map(|job| job.schedule.unwrap()).collect();
    assert_eq!(seen, ["other"], "the slots of the pause are gone");
    assert!(!scheduler.pause("nobody").await.unwrap() && !scheduler.resume("nobody").await.unwrap());
    assert!(scheduler.remove("s").await.unwrap() && !scheduler.remove("s").await.unwrap());
}

async fn what_cannot_be_a_schedule_is_refused_and_not_stored(f: Fixture) {
    let scheduler = Scheduler::new(f.store.clone());
    let with = |change: fn(&mut NewSchedule)| {
        let mut schedule = daily("s");
        change(&mut schedule);
        schedule
    };
    let bad = [
        with(|s| s.name = String::new()),
        with(|s| s.cron = "61 * * * *".into()),
        with(|s| s.time_zone = "Mars/Olympus".into()),
        with(|s| s.handler = "a\nb".into()),
        with(|s| s.priority = 10),
        with(|s| s.max_attempts = 0),
        with(|s| s.missed_max = 0),
    ];
    for schedule in bad {
        let refused = scheduler.schedule_recurring(&schedule).await;
        assert!(matches!(refused, Err(ScheduleError::Cron(_) | ScheduleError::Invalid(_))), "{schedule:?}");
    }
    assert!(scheduler.list(1).await.unwrap().is_empty());
}

async fn saying_the_same_again_keeps_the_next_slot(f: Fixture) {
    let scheduler = Scheduler::new(f.store.clone());
    scheduler.schedule_recurring(&daily("s")).await.unwrap();
    made_due(&f, "s", 1).await;
    let due = f.store.schedule("s").await.unwrap().unwrap().next_at;
    scheduler.schedule_recurring(&NewSchedule { priority: 4, ..daily("s") }).await.unwrap();
    let again = f.store.schedule("s").await.unwrap().unwrap();
    assert_eq!((again.next_at, again.spec.priority), (due, 4), "a restart must not lose a slot");
    scheduler.schedule_recurring(&NewSchedule { cron: "@hourly".into(), ..daily("s") }).await.unwrap();
    assert!(f.store.schedule("s").await.unwrap().unwrap().next_at > due);
}
