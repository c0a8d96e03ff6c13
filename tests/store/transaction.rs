//! `create_in` and `create_many_in`: jobs in one transaction with an application's own rows.

use crate::given::new_job;
use flowmonkey_jobs::job::{NewJob, Unique};
use flowmonkey_jobs::store::{Created, PgStore, SqliteStore, StoreError};
use flowmonkey_tests::database::{Database, Fixture};
use sqlx::{AssertSqlSafe, Postgres, Sqlite, Transaction};
use std::time::Duration;

on_both_stores! {
    what_a_transaction_creates_is_there_once_it_commits,
    what_a_transaction_creates_never_was_if_it_rolls_back,
    many_jobs_of_a_transaction_come_and_go_with_it,
    a_key_that_a_transaction_took_is_free_after_its_rollback,
    a_transaction_finds_the_holder_of_a_key,
    a_transaction_sees_the_keys_that_it_took_itself,
    a_bad_job_is_refused_before_the_transaction_is_touched,
}

on_postgres! {
    after_a_refused_execution_the_transaction_cannot_commit,
}

on_sqlite! {
    after_a_refused_execution_the_transaction_goes_on_without_the_batch,
}

/// A program that has tables of its own in the same database, inside a transaction.
enum Application {
    Postgres(PgStore, Transaction<'static, Postgres>),
    Sqlite(SqliteStore, Transaction<'static, Sqlite>),
}

impl Application {
    async fn begin(f: &Fixture) -> Self {
        f.execute("create table if not exists orders (id int)").await;
        match &f.database {
            Database::Postgres(database) => {
                let store = database.store().await;
                Application::Postgres(store, database.pool.begin().await.unwrap())
            }
            Database::Sqlite(database) => {
                let store = database.store().await;
                Application::Sqlite(store, database.pool.begin_with("begin immediate").await.unwrap())
            }
        }
    }

    async fn order(&mut self) {
        let insert = AssertSqlSafe("insert into orders values (1)");
        match self {
            Application::Postgres(_, own) => drop(sqlx::query(insert).execute(&mut **own).await.unwrap()),
            Application::Sqlite(_, own) => drop(sqlx::query(insert).execute(&mut **own).await.unwrap()),
        }
    }

    async fn create(&mut self, job: NewJob) -> Created {
        match self {
            Application::Postgres(store, own) => store.create_in(own, job).await.unwrap(),
            Application::Sqlite(store, own) => store.create_in(own, job).await.unwrap(),
        }
    }

    async fn create_many(&mut self, jobs: Vec<NewJob>) -> Result<Vec<Created>, StoreError> {
        match self {
            Application::Postgres(store, own) => store.create_many_in(own, jobs).await,
            Application::Sqlite(store, own) => store.create_many_in(own, jobs).await,
        }
    }

    async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Application::Postgres(_, own) => own.commit().await,
            Application::Sqlite(_, own) => own.commit().await,
        }
    }

    async fn rollback(self) {
        match self {
            Application::Postgres(_, own) => own.rollback().await.unwrap(),
            Application::Sqlite(_, own) => own.rollback().await.unwrap(),
        }
    }
}

fn keyed() -> [NewJob; 2] {
    let unique = [Unique::active("k"), Unique::within("k", Duration::from_secs(3600))];
    unique.map(|unique| NewJob { unique: Some(unique), ..new_job() })
}

/// Orders and jobs, as everybody else sees them.
async fn seen(f: &Fixture) -> (i64, i64) {
    (f.number("select count(*) from orders").await, f.number("select count(*) from fm_jobs").await)
}

async fn what_a_transaction_creates_is_there_once_it_commits(f: Fixture) {
    let mut application = Application::begin(&f).await;
    application.order().await;
    let created = application.create(new_job()).await;
    assert!(created.is_new);
    assert_eq!(seen(&f).await, (0, 0));
    assert!(f.store.get(&created.job.id).await.unwrap().is_none());
    application.commit().await.unwrap();
    assert_eq!(seen(&f).await, (1, 1));
    let job = crate::given::claim_one(&f).await;
    assert_eq!(job.lease.job_id, created.job.id);
}

async fn what_a_transaction_creates_never_was_if_it_rolls_back(f: Fixture) {
    let mut application = Application::begin(&f).await;
    application.order().await;
    let created = application.create(new_job()).await;
    application.rollback().await;
    assert_eq!(seen(&f).await, (0, 0));
    assert!(f.store.get(&created.job.id).await.unwrap().is_none());
}

async fn many_jobs_of_a_transaction_come_and_go_with_it(f: Fixture) {
    for commits in [false, true] {
        let mut application = Application::begin(&f).await;
        application.order().await;
        let jobs = [new_job(), new_job()].into_iter().chain(keyed()).collect();
        let created = application.create_many(jobs).await.unwrap();
        assert!(created.len() == 4 && created.iter().all(|one| one.is_new));
        assert_eq!(seen(&f).await, (0, 0));
        if commits {
            application.commit().await.unwrap();
            assert_eq!(seen(&f).await, (1, 4));
        } else {
            application.rollback().await;
            assert_eq!(seen(&f).await, (0, 0));
        }
    }
}

async fn a_key_that_a_transaction_took_is_free_after_its_rollback(f: Fixture) {
    for job in keyed() {
        let mut application = Application::begin(&f).await;
        assert!(application.create(job.clone()).await.is_new);
        application.rollback().await;
        assert!(f.store.create(job).await.unwrap().is_new);
    }
}

async fn a_transaction_finds_the_holder_of_a_key(f: Fixture) {
    for job in keyed() {
        let holder = f.store.create(job.clone()).await.unwrap().job;
        let mut application = Application::begin(&f).await;
        application.order().await;
        let found = application.create(job).await;
        assert_eq!((found.is_new, found.job.id), (false, holder.id));
        application.commit().await.unwrap();
    }
    assert_eq!(seen(&f).await, (2, 2));
}

async fn a_transaction_sees_the_keys_that_it_took_itself(f: Fixture) {
    for job in keyed() {
        let mut application = Application::begin(&f).await;
        let first = application.create(job.clone()).await;
        let second = application.create(job.clone()).await;
        assert_eq!((second.is_new, &second.job.id), (false, &first.job.id));
        application.commit().await.unwrap();
        assert_eq!(f.store.create(job).await.unwrap().job.id, first.job.id);
    }
}

async fn a_bad_job_is_refused_before_the_transaction_is_touched(f: Fixture) {
    let mut application = Application::begin(&f).await;
    let bad = NewJob { max_attempts: 0, ..new_job() };
    let refused = application.create_many(vec![new_job(), bad]).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    // On either engine it goes on.
    application.order().await;
    application.commit().await.unwrap();
    assert_eq!(seen(&f).await, (1, 0));
}

async fn create_for_a_missing_execution(application: &mut Application) {
    let bad = NewJob { execution_id: Some("nope".into()), ..new_job() };
    let refused = application.create_many(vec![new_job(), bad]).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
}

async fn after_a_refused_execution_the_transaction_cannot_commit(f: Fixture) {
    let mut application = Application::begin(&f).await;
    application.order().await;
    create_for_a_missing_execution(&mut application).await;
    // Postgres turns the commit of such a transaction into a rollback.
    let _ = application.commit().await;
    assert_eq!(seen(&f).await, (0, 0));
}

async fn after_a_refused_execution_the_transaction_goes_on_without_the_batch(f: Fixture) {
    let mut application = Application::begin(&f).await;
    application.order().await;
    create_for_a_missing_execution(&mut application).await;
    let created = application.create(new_job()).await;
    application.commit().await.unwrap();
    assert_eq!(seen(&f).await, (1, 1));
    assert!(f.store.get(&created.job.id).await.unwrap().is_some());
}
