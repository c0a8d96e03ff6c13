//! `list`, and how statuses are stored and read.

use crate::given::{in_status, json, new_job, pending};
use flowmonkey_jobs::job::{NewJob, Status};
use flowmonkey_jobs::store::ListFilter;
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    the_last_that_changed_come_first,
    jobs_are_listed_by_status_and_handler,
    a_list_has_a_limit,
    a_listed_job_is_whole,
    every_status_is_read_as_it_was_stored,
    no_other_status_can_be_stored,
    no_other_priority_can_be_stored,
}

async fn listed(f: &Fixture, filter: ListFilter) -> Vec<String> {
    f.store.list(&filter).await.unwrap().into_iter().map(|job| job.id).collect()
}

async fn the_last_that_changed_come_first(f: Fixture) {
    assert_eq!(listed(&f, ListFilter::default()).await, [""; 0]);
    let mut ids = Vec::new();
    for updated_at in [30, 10, 20, 20] {
        let job = pending(&f).await;
        f.set(&job.id, &format!("updated_at = {updated_at}")).await;
        ids.push(job.id);
    }
    // Of two that changed together, the one with the higher id: their order never changes.
    let (high, low) = if ids[2] > ids[3] { (2, 3) } else { (3, 2) };
    let expected = [&ids[0], &ids[high], &ids[low], &ids[1]].map(String::clone);
    assert_eq!(listed(&f, ListFilter::default()).await, expected);
}

async fn jobs_are_listed_by_status_and_handler(f: Fixture) {
    for status in Status::ALL.into_iter().rev() {
        in_status(&f, status).await;
    }
    f.store.create(NewJob::new("other'", json("1"))).await.unwrap();
    let table = [
        (None, None, 6),
        (Some(Status::Pending), None, 2),
        (Some(Status::Running), None, 1),
        (Some(Status::Completed), None, 1),
        (Some(Status::Failed), None, 1),
        (Some(Status::Cancelled), None, 1),
        (None, Some("other'"), 1),
        (None, Some("unknown"), 0),
        (None, Some(""), 0),
        (Some(Status::Pending), Some("other'"), 1),
        (Some(Status::Running), Some("other'"), 0),
    ];
    for (status, handler, count) in table {
        let filter = ListFilter { status, handler: handler.map(str::to_owned), limit: 0 };
        let jobs = f.store.list(&filter).await.unwrap();
        assert_eq!(jobs.len(), count, "{filter:?}");
        for job in jobs {
            assert!(status.is_none_or(|status| job.status == status), "{filter:?}");
            assert!(handler.is_none_or(|handler| job.handler == handler), "{filter:?}");
        }
    }
}

async fn a_list_has_a_limit(f: Fixture) {
    for at in 0..101 {
        f.execute(&format!("insert into fm_jobs (id, handler, input) values ('{at}', 'h', '1')")).await;
    }
    for (limit, count) in [(0, 100), (1, 1), (100, 100), (101, 101), (u32::MAX, 101)] {
        assert_eq!(listed(&f, ListFilter { limit, ..ListFilter::default() }).await.len(), count);
    }
}

async fn a_listed_job_is_whole(f: Fixture) {
    for status in Status::ALL.into_iter().rev() {
        let job = in_status(&f, status).await;
        let filter = ListFilter { status: Some(status), ..ListFilter::default() };
        let listed = f.store.list(&filter).await.unwrap();
        assert_eq!(format!("{listed:?}"), format!("[{job:?}]"));
    }
}

async fn every_status_is_read_as_it_was_stored(f: Fixture) {
    let job = f.store.create(new_job()).await.unwrap().job;
    for status in Status::ALL {
        f.set(&job.id, &format!("status = '{status}'")).await;
        assert_eq!(f.store.get(&job.id).await.unwrap().unwrap().status, status);
        assert_eq!(status.as_str().parse(), Ok(status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
}

async fn no_other_status_can_be_stored(f: Fixture) {
    pending(&f).await;
    for text in ["", "Pending", "pending ", "paused", "waiting"] {
        let why = text.parse::<Status>().unwrap_err();
        assert!(why.contains("use pending, running, completed, failed or cancelled"), "{why}");
        assert!(f.try_execute(&format!("update fm_jobs set status = '{text}'")).await.is_err());
    }
}

async fn no_other_priority_can_be_stored(f: Fixture) {
    pending(&f).await;
    for priority in ["-1", "10", "null"] {
        assert!(f.try_execute(&format!("update fm_jobs set priority = {priority}")).await.is_err());
    }
}
