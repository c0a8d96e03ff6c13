//! Fifty guests that never end, on two cores.

use crate::fleet::{self, MAIL, enqueue, on_both_stores, wait_for_status};
use flowmonkey_jobs::job::Status;
use flowmonkey_jobs::reaper::{Reaper, ReaperSettings};
use flowmonkey_jobs::store::ListFilter;
use flowmonkey_tests::database::Fixture;
use std::num::NonZeroU32;
use std::time::Duration;

on_both_stores! {
    fifty_spinning_guests_hold_up_neither_heartbeats_nor_neighbours
}

async fn fifty_spinning_guests_hold_up_neither_heartbeats_nor_neighbours(Fixture { store, .. }: Fixture) {
    let places = NonZeroU32::new(51).unwrap();
    let runner = fleet::runner(&store, &fleet::catalog(51)).max_concurrent(places).batch_size(places);
    let runner = runner.drain_timeout(Duration::from_millis(1)).build().unwrap();
    for _ in 0..50 {
        enqueue(&store, "spin", "{}").await;
    }
    runner.start();
    fleet::until("all fifty run", || runner.active_count() == 50).await;
    let before = heartbeats(&store).await;

    // Thirty missed beats would be found by this reaper (the defaults allow six): it is the runner's own yardstick, not a clock of the
    // test's.
    let settings = ReaperSettings {
        stalled_threshold: Duration::from_secs(3),
        check_interval: Duration::from_millis(20),
        ..ReaperSettings::default()
    };
    let reaper = Reaper::start(store.clone(), settings);
    for _ in 0..20 {
        let mail = enqueue(&store, "email-send", MAIL).await;
        wait_for_status(&store, &mail, Status::Completed).await;
    }
    let look = async {
        while heartbeats(&store).await.iter().zip(&before).any(|(now, before)| now < &(before + 4000)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(flowmonkey_tests::program::PATIENCE, look).await.expect("all fifty are kept alive");
    reaper.stop().await;

    let spinning = running(&store).await;
    let others = ListFilter { status: None, handler: Some("spin".into()), limit: 100 };
    let others = store.list(&others).await.unwrap();
    let others: Vec<_> = others.iter().filter(|job| job.status != Status::Running).collect();
    assert!(others.is_empty(), "{} do not run any more: {:?}", others.len(), others[0]);
    assert_eq!(spinning.len(), 50, "none has ended meanwhile");
    let taken: Vec<_> = spinning.iter().filter(|job| !job.history.is_empty() || job.attempts != 1).collect();
    assert!(taken.is_empty(), "{} were taken: {:?}", taken.len(), taken[0]);
    runner.stop().await;
    assert!(running(&store).await.is_empty(), "all fifty are given back");
}

async fn running(store: &flowmonkey_jobs::store::SharedStore) -> Vec<flowmonkey_jobs::job::Job> {
    let filter = ListFilter { status: Some(Status::Running), handler: Some("spin".into()), limit: 100 };
    store.list(&filter).await.unwrap()
}

async fn heartbeats(store: &flowmonkey_jobs::store::SharedStore) -> Vec<i64> {
    running(store).await.iter().map(|job| job.heartbeat_at.unwrap()).collect()
}
