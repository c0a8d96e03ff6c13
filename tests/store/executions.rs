//! Jobs that belong to a workflow execution.

use crate::given::{claim, new_job};
use flowmonkey_jobs::job::{Job, NewJob};
use flowmonkey_jobs::store::StoreError;
use flowmonkey_tests::database::Fixture;

on_both_stores! {
    jobs_of_an_execution_come_oldest_first,
    a_job_of_a_missing_execution_is_refused_and_not_stored,
    deleting_an_execution_deletes_its_jobs,
}

async fn executions(f: &Fixture, ids: &[&str]) {
    for id in ids {
        let sql = format!("insert into fm_executions (id, flow_id, flow_version) values ('{id}', 'f', '1')");
        f.execute(&sql).await;
    }
}

fn of(execution: &str, step: &str) -> NewJob {
    NewJob { execution_id: Some(execution.into()), step_id: Some(step.into()), ..new_job() }
}

fn steps(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.step_id.as_deref().unwrap()).collect()
}

async fn jobs_of_an_execution_come_oldest_first(f: Fixture) {
    executions(&f, &["e1", "e2"]).await;
    f.store.create(new_job()).await.unwrap();
    f.store.create(of("e2", "other")).await.unwrap();
    for (step, created_at) in [("b", 20), ("c", 30), ("a", 10)] {
        let job = f.store.create(of("e1", step)).await.unwrap().job;
        f.set(&job.id, &format!("created_at = {created_at}")).await;
    }
    assert_eq!(steps(&f.store.by_execution("e1").await.unwrap()), ["a", "b", "c"]);
    assert_eq!(steps(&f.store.by_execution("e2").await.unwrap()), ["other"]);
    assert!(f.store.by_execution("nope").await.unwrap().is_empty());
}

async fn a_job_of_a_missing_execution_is_refused_and_not_stored(f: Fixture) {
    executions(&f, &["e1"]).await;
    match f.store.create(of("e2", "s")).await {
        Err(StoreError::Invalid(why)) => assert!(why.contains("execution"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(f.number("select count(*) from fm_jobs").await, 0);
    // And the store goes on.
    f.store.create(of("e1", "s")).await.unwrap();
    assert_eq!(claim(&f, 10).await.len(), 1);
}

async fn deleting_an_execution_deletes_its_jobs(f: Fixture) {
    executions(&f, &["e1", "e2"]).await;
    for execution in ["e1", "e2"] {
        f.store.create(of(execution, "s")).await.unwrap();
    }
    f.store.create(new_job()).await.unwrap();
    f.execute("delete from fm_executions where id = 'e1'").await;
    assert!(f.store.by_execution("e1").await.unwrap().is_empty());
    assert_eq!(f.number("select count(*) from fm_jobs").await, 2);
}
