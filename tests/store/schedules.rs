//! Schedules, and the jobs of their slots.

use crate::given::{claim_one, json, value};
use crate::hold::{blocked, start};
use flowmonkey_jobs::job::{Job, Status};
use flowmonkey_jobs::store::{Changed, Firing, ListFilter, Missed, NewSchedule, Schedule};
use flowmonkey_tests::database::Fixture;
use std::sync::Arc;
use tokio::task::JoinSet;

on_both_stores! {
    a_schedule_is_stored_whole,
    a_replaced_schedule_keeps_its_slot_unless_its_times_changed,
    a_replaced_schedule_stays_paused,
    schedules_are_listed_by_name,
    what_is_not_there_cannot_be_paused_resumed_or_removed,
    only_a_paused_schedule_resumes_with_a_new_slot,
    due_schedules_come_most_overdue_first,
    a_slot_creates_a_job_like_its_schedule,
    each_slot_creates_a_job_of_its_own,
    a_firing_without_slots_only_moves_on,
    a_schedule_without_a_next_slot_fires_no_more,
    what_was_read_fires_once,
    a_schedule_that_changed_since_it_was_read_does_not_fire,
    a_schedule_fires_with_what_its_jobs_are_by_then,
    a_removed_schedules_jobs_stay,
    many_schedulers_create_one_job_a_slot,
}

on_postgres! {
    a_firing_waits_for_a_rival_and_leaves_the_slot_to_it,
    a_firing_waits_for_a_rival_and_takes_the_slot_it_gave_up,
}

fn spec(name: &str) -> NewSchedule {
    NewSchedule {
        name: name.into(),
        cron: "0 0 9 * * *".into(),
        time_zone: "Europe/Berlin".into(),
        handler: "email-send".into(),
        input: json("{\"n\": 12345678901234567890}"),
        priority: 4,
        max_attempts: 7,
        missed: Missed::Once,
        missed_max: 100,
    }
}

async fn put(f: &Fixture, name: &str, next_at: i64) -> Schedule {
    f.store.put_schedule(&spec(name), Some(next_at)).await.unwrap();
    read(f, name).await
}

async fn read(f: &Fixture, name: &str) -> Schedule {
    f.store.schedule(name).await.unwrap().unwrap()
}

async fn fire(f: &Fixture, schedule: &Schedule, slots: &[i64], next_at: Option<i64>) -> bool {
    f.store.fire(&Firing { schedule, slots: slots.to_vec(), next_at }).await.unwrap()
}

/// All jobs, the first slot first.
async fn jobs(f: &Fixture) -> Vec<Job> {
    let mut jobs = f.store.list(&ListFilter::default()).await.unwrap();
    jobs.sort_by_key(|job| job.run_at);
    jobs
}

async fn a_schedule_is_stored_whole(f: Fixture) {
    let odd = NewSchedule {
        time_zone: "Etc/GMT+12".into(),
        handler: "größe's".into(),
        missed: Missed::All,
        missed_max: 3,
        ..spec("it's \"daily\"")
    };
    for (spec, next_at) in [(spec("a"), Some(5000)), (odd, None)] {
        f.store.put_schedule(&spec, next_at).await.unwrap();
        let schedule = read(&f, &spec.name).await;
        assert_eq!(value(&schedule.spec.input), value(&spec.input));
        assert!(schedule.spec.input.as_str().contains("12345678901234567890"));
        let expected = NewSchedule { input: schedule.spec.input.clone(), ..spec };
        assert_eq!(format!("{:?}", schedule.spec), format!("{expected:?}"));
        assert_eq!((schedule.paused, schedule.next_at, schedule.last_at), (false, next_at, None));
    }
    for missed in [Missed::Skip, Missed::Once, Missed::All] {
        f.store.put_schedule(&NewSchedule { missed, ..spec("m") }, None).await.unwrap();
        assert_eq!(read(&f, "m").await.spec.missed, missed);
    }
}

async fn a_replaced_schedule_keeps_its_slot_unless_its_times_changed(f: Fixture) {
    let first = put(&f, "a", 5000).await;
    assert!(fire(&f, &first, &[5000], Some(6000)).await);
    let other = NewSchedule {
        handler: "other".into(),
        input: json("2"),
        priority: 0,
        max_attempts: 1,
        missed: Missed::Skip,
        missed_max: 1,
        ..spec("a")
    };
    f.store.put_schedule(&other, Some(9000)).await.unwrap();
    let replaced = read(&f, "a").await;
    assert_eq!(format!("{:?}", replaced.spec), format!("{other:?}"));
    assert_eq!((replaced.next_at, replaced.last_at), (Some(6000), Some(5000)));
    let changes = [
        (NewSchedule { cron: "0 0 10 * * *".into(), ..spec("a") }, Some(9000)),
        (NewSchedule { time_zone: "UTC".into(), ..spec("a") }, Some(10_000)),
        (NewSchedule { cron: "0 0 0 1 1 * 1999".into(), ..spec("a") }, None),
    ];
    for (changed, next_at) in changes {
        f.store.put_schedule(&changed, next_at).await.unwrap();
        let replaced = read(&f, "a").await;
        assert_eq!((replaced.next_at, replaced.last_at), (next_at, Some(5000)), "{changed:?}");
    }
}

async fn a_replaced_schedule_stays_paused(f: Fixture) {
    put(&f, "a", 5000).await;
    assert!(f.store.pause_schedule("a").await.unwrap());
    assert!(put(&f, "a", 6000).await.paused);
    let changed = NewSchedule { time_zone: "UTC".into(), ..spec("a") };
    f.store.put_schedule(&changed, Some(6000)).await.unwrap();
    assert!(read(&f, "a").await.paused);
}

async fn schedules_are_listed_by_name(f: Fixture) {
    assert!(f.store.schedules().await.unwrap().is_empty());
    for (name, next_at) in [("b", 1), ("a", 3), ("c", 2)] {
        put(&f, name, next_at).await;
    }
    f.store.pause_schedule("c").await.unwrap();
    let listed = f.store.schedules().await.unwrap();
    let names: Vec<_> = listed.iter().map(|one| (one.spec.name.as_str(), one.paused)).collect();
    assert_eq!(names, [("a", false), ("b", false), ("c", true)]);
    assert_eq!(format!("{:?}", listed[1]), format!("{:?}", read(&f, "b").await));
}

async fn what_is_not_there_cannot_be_paused_resumed_or_removed(f: Fixture) {
    put(&f, "a", 1).await;
    for name in ["", "nope", "' or true --"] {
        assert!(f.store.schedule(name).await.unwrap().is_none());
        assert!(!f.store.pause_schedule(name).await.unwrap());
        assert!(!f.store.resume_schedule(name, Some(1)).await.unwrap());
        assert!(!f.store.remove_schedule(name).await.unwrap());
    }
    assert_eq!(f.store.schedules().await.unwrap().len(), 1);
    assert!(f.store.remove_schedule("a").await.unwrap());
    assert!(!f.store.remove_schedule("a").await.unwrap());
}

async fn only_a_paused_schedule_resumes_with_a_new_slot(f: Fixture) {
    put(&f, "a", 5000).await;
    assert!(f.store.resume_schedule("a", Some(9000)).await.unwrap());
    assert_eq!(read(&f, "a").await.next_at, Some(5000));
    for _ in 0..2 {
        assert!(f.store.pause_schedule("a").await.unwrap());
        let paused = read(&f, "a").await;
        assert_eq!((paused.paused, paused.next_at), (true, Some(5000)));
    }
    assert!(f.store.resume_schedule("a", Some(9000)).await.unwrap());
    let resumed = read(&f, "a").await;
    assert_eq!((resumed.paused, resumed.next_at), (false, Some(9000)));
}

async fn due_schedules_come_most_overdue_first(f: Fixture) {
    let later = f.now().await + 3_600_000;
    for (name, next_at) in [("c", 30), ("b", 20), ("a", 20), ("d", 10), ("later", later), ("paused", 1)] {
        put(&f, name, next_at).await;
    }
    f.store.put_schedule(&spec("never"), None).await.unwrap();
    f.store.pause_schedule("paused").await.unwrap();
    for limit in [0, 1, 3, 100] {
        let before = f.now().await;
        let due = f.store.due_schedules(limit).await.unwrap();
        let names: Vec<_> = due.schedules.iter().map(|one| one.spec.name.as_str()).collect();
        assert_eq!(names, ["d", "a", "b", "c"][..4.min(limit as usize)]);
        assert!((before..=f.now().await).contains(&due.now));
    }
    f.execute(&format!("update fm_schedules set next_at = {} where name = 'later'", f.now().await)).await;
    assert_eq!(f.store.due_schedules(100).await.unwrap().schedules.len(), 5);
}

async fn a_slot_creates_a_job_like_its_schedule(f: Fixture) {
    let schedule = put(&f, "a's", 5000).await;
    assert!(fire(&f, &schedule, &[5000], Some(6000)).await);
    let [job] = jobs(&f).await.try_into().unwrap();
    assert_eq!((job.status, job.run_at, job.schedule.as_deref()), (Status::Pending, Some(5000), Some("a's")));
    assert_eq!((job.handler.as_str(), job.priority, job.max_attempts), ("email-send", 4, 7));
    assert_eq!(job.input, schedule.spec.input);
    assert_eq!((job.attempts, job.unique_key, job.execution_id), (0, None, None));
    assert!(job.id.len() == 32 && job.created_at > 5000);
    let moved = read(&f, "a's").await;
    assert_eq!((moved.next_at, moved.last_at), (Some(6000), Some(5000)));
    assert_eq!(claim_one(&f).await.lease.job_id, job.id);
}

async fn each_slot_creates_a_job_of_its_own(f: Fixture) {
    let schedule = put(&f, "a", 1000).await;
    let other = put(&f, "b", 1000).await;
    assert!(fire(&f, &schedule, &[1000, 3000, 2000], Some(4000)).await);
    assert_eq!(jobs(&f).await.iter().map(|job| job.run_at).collect::<Vec<_>>(), [1000, 2000, 3000].map(Some));
    let moved = read(&f, "a").await;
    assert_eq!((moved.next_at, moved.last_at), (Some(4000), Some(3000)));
    assert_eq!(format!("{other:?}"), format!("{:?}", read(&f, "b").await));
}

/// What a schedule does that skips what it missed.
async fn a_firing_without_slots_only_moves_on(f: Fixture) {
    let schedule = put(&f, "a", 1000).await;
    assert!(fire(&f, &schedule, &[1000], Some(2000)).await);
    assert!(fire(&f, &read(&f, "a").await, &[], Some(9000)).await);
    let moved = read(&f, "a").await;
    assert_eq!((moved.next_at, moved.last_at, jobs(&f).await.len()), (Some(9000), Some(1000), 1));
}

async fn a_schedule_without_a_next_slot_fires_no_more(f: Fixture) {
    let schedule = put(&f, "a", 1000).await;
    assert!(fire(&f, &schedule, &[1000], None).await);
    let ended = read(&f, "a").await;
    assert_eq!(ended.next_at, None);
    assert!(!fire(&f, &ended, &[2000], None).await);
    assert_eq!(jobs(&f).await.len(), 1);
    assert!(f.store.due_schedules(10).await.unwrap().schedules.is_empty());
}

async fn what_was_read_fires_once(f: Fixture) {
    let schedule = put(&f, "a", 1000).await;
    assert!(fire(&f, &schedule, &[1000], Some(2000)).await);
    let moved = format!("{:?}", read(&f, "a").await);
    assert!(!fire(&f, &schedule, &[1000], Some(2000)).await);
    assert_eq!((jobs(&f).await.len(), format!("{:?}", read(&f, "a").await)), (1, moved));
}

async fn a_schedule_that_changed_since_it_was_read_does_not_fire(f: Fixture) {
    // Its slot is the same; only what it says differs.
    let edits = [
        NewSchedule { cron: "0 0 10 * * *".into(), ..spec("a") },
        NewSchedule { time_zone: "UTC".into(), ..spec("a") },
    ];
    for edit in edits {
        let schedule = put(&f, "a", 1000).await;
        f.store.put_schedule(&edit, Some(1000)).await.unwrap();
        assert!(!fire(&f, &schedule, &[1000], Some(2000)).await, "{edit:?}");
        f.store.remove_schedule("a").await.unwrap();
        assert!(!fire(&f, &schedule, &[1000], Some(2000)).await, "removed");
    }
    let schedule = put(&f, "a", 1000).await;
    f.store.pause_schedule("a").await.unwrap();
    assert!(!fire(&f, &schedule, &[1000], Some(2000)).await, "paused");
    f.store.resume_schedule("a", Some(5000)).await.unwrap();
    assert!(!fire(&f, &schedule, &[1000], Some(2000)).await, "resumed with another slot");
    assert!(jobs(&f).await.is_empty());
    assert_eq!(read(&f, "a").await.next_at, Some(5000));
}

async fn a_schedule_fires_with_what_its_jobs_are_by_then(f: Fixture) {
    let schedule = put(&f, "a", 1000).await;
    let edit = NewSchedule { handler: "other".into(), input: json("2"), priority: 9, ..spec("a") };
    f.store.put_schedule(&edit, Some(5000)).await.unwrap();
    assert!(fire(&f, &schedule, &[1000], Some(2000)).await);
    let job = jobs(&f).await.remove(0);
    assert_eq!((job.handler.as_str(), job.input.as_str(), job.priority), ("other", "2", 9));
}

async fn a_removed_schedules_jobs_stay(f: Fixture) {
    let schedule = put(&f, "a", 1000).await;
    fire(&f, &schedule, &[1000], Some(2000)).await;
    f.store.remove_schedule("a").await.unwrap();
    let job = jobs(&f).await.remove(0);
    assert_eq!(job.schedule.as_deref(), Some("a"));
    assert_eq!(f.store.cancel(&job.id).await.unwrap(), Changed::Yes);
}

async fn many_schedulers_create_one_job_a_slot(f: Fixture) {
    put(&f, "a", 0).await;
    for slot in 0..10 {
        let read = read(&f, "a").await;
        let mut schedulers = JoinSet::new();
        for _ in 0..8 {
            let (store, schedule) = (Arc::clone(&f.store), read.clone());
            schedulers.spawn(async move {
                let firing = Firing { schedule: &schedule, slots: vec![slot], next_at: Some(slot + 1) };
                store.fire(&firing).await.unwrap()
            });
        }
        let fired = schedulers.join_all().await;
        assert_eq!(fired.into_iter().filter(|fired| *fired).count(), 1, "slot {slot}");
    }
    let slots: Vec<_> = jobs(&f).await.iter().map(|job| job.run_at).collect();
    assert_eq!(slots, (0..10).map(Some).collect::<Vec<_>>());
}

/// A rival that moves the schedule on, and what our firing of the same slot comes to once that is over.
async fn race(f: &Fixture, commits: bool) -> bool {
    let schedule = put(f, "a", 1000).await;
    let mut rival = f.pg().begin().await.unwrap();
    let moved = sqlx::query("update fm_schedules set next_at = 2000").execute(&mut *rival).await.unwrap();
    assert_eq!(moved.rows_affected(), 1);
    let ours = start(f, |store| async move {
        let firing = Firing { schedule: &schedule, slots: vec![1000], next_at: Some(2000) };
        store.fire(&firing).await.unwrap()
    });
    blocked(f.pg()).await;
    if commits {
        rival.commit().await.unwrap()
    } else {
        rival.rollback().await.unwrap()
    }
    ours.await.unwrap()
}

async fn a_firing_waits_for_a_rival_and_leaves_the_slot_to_it(f: Fixture) {
    assert!(!race(&f, true).await);
    assert!(jobs(&f).await.is_empty());
}

async fn a_firing_waits_for_a_rival_and_takes_the_slot_it_gave_up(f: Fixture) {
    assert!(race(&f, false).await);
    assert_eq!(jobs(&f).await.len(), 1);
    assert_eq!(read(&f, "a").await.next_at, Some(2000));
}
