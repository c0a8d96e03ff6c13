//! Migrations, and every statement against what they make.

use flowmonkey_jobs::store::{PgStore, SqliteStore, StoreError, postgres as pg, sqlite as lite};
use flowmonkey_tests::database::{Fixture, PgDatabase, SqliteDatabase};
use sqlx::{Executor, SqlSafeStr};
use std::collections::BTreeSet;
use std::path::Path;
use tokio::task::JoinSet;

/// Asked when a store is opened, before there is a schema to prepare it against.
const NOT_LISTED: &str = "schema_version.sql";

fn assert_all_listed(engine: &str, statements: &[(&str, &str)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src/store").join(engine);
    let names = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = names.filter(|name| name.ends_with(".sql")).collect();
    let mut listed: BTreeSet<String> = statements.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(listed.len(), statements.len(), "a file is listed twice");
    listed.insert(NOT_LISTED.to_owned());
    assert_eq!(files, listed);
}

fn assert_schema_error<T: std::fmt::Debug>(opened: Result<T, StoreError>, expected: &str) {
    match opened {
        Err(StoreError::Schema(why)) => assert!(why.contains(expected), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// What a later version would have left.
const NEWER: &str = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
    values (999, 'later', true, '', 0)";

mod postgres {
    use super::*;

    #[test]
    fn every_file_is_a_listed_statement() {
        assert_all_listed("postgres", pg::STATEMENTS);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_statement_can_be_prepared() {
        let f = Fixture::postgres().await;
        for (file, text) in pg::STATEMENTS {
            let prepared = f.pg().prepare(text.into_sql_str()).await;
            assert!(prepared.is_ok(), "{file}: {:?}", prepared.err());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn migrating_again_changes_nothing() {
        let f = Fixture::postgres().await;
        let job = crate::given::pending(&f).await;
        let before = f.row(&job.id).await;
        let database = url(&f);
        for _ in 0..2 {
            PgStore::migrate(database).await.unwrap().close().await;
        }
        assert_eq!(f.row(&job.id).await, before);
    }

    fn url(f: &Fixture) -> &str {
        let flowmonkey_tests::database::Database::Postgres(database) = &f.database else { panic!() };
        &database.url
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn several_programs_may_migrate_at_once() {
        let database = PgDatabase::empty().await;
        let mut programs = JoinSet::new();
        for _ in 0..4 {
            let url = database.url.clone();
            programs.spawn(async move { PgStore::migrate(&url).await.map(drop) });
        }
        for migrated in programs.join_all().await {
            migrated.unwrap();
        }
        PgStore::connect(&database.url, 1).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_database_without_tables_is_refused_with_the_remedy() {
        let database = PgDatabase::empty().await;
        assert_schema_error(PgStore::connect(&database.url, 1).await, "flowmonkey migrate");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_database_behind_this_version_is_refused_with_the_remedy() {
        let f = Fixture::postgres().await;
        f.execute("delete from _sqlx_migrations").await;
        assert_schema_error(PgStore::connect(url(&f), 1).await, "flowmonkey migrate");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_newer_database_is_refused() {
        let f = Fixture::postgres().await;
        f.execute(NEWER).await;
        assert_schema_error(PgStore::connect(url(&f), 1).await, "newer");
        assert_schema_error(PgStore::migrate(url(&f)).await, "newer");
    }
}

mod sqlite {
    use super::*;

    #[test]
    fn every_file_is_a_listed_statement() {
        assert_all_listed("sqlite", lite::STATEMENTS);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_statement_can_be_prepared() {
        let database = SqliteDatabase::empty().await;
        let _store = database.store().await;
        for (file, text) in lite::STATEMENTS {
            let prepared = (&database.pool).prepare(text.into_sql_str()).await;
            assert!(prepared.is_ok(), "{file}: {:?}", prepared.err());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_outlives_the_program() {
        use flowmonkey_jobs::store::JobStore;
        let database = SqliteDatabase::empty().await;
        let store = database.store().await;
        let job = store.create(crate::given::new_job()).await.unwrap().job;
        store.close().await;
        let store = SqliteStore::open_existing(&database.path).await.unwrap();
        assert_eq!(format!("{:?}", store.get(&job.id).await.unwrap()), format!("{:?}", Some(job)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn several_programs_may_open_a_new_file_at_once() {
        for _ in 0..5 {
            let database = SqliteDatabase::empty().await;
            let mut programs = JoinSet::new();
            for _ in 0..4 {
                let path = database.path.clone();
                programs.spawn(async move { SqliteStore::open(&path).await.map(drop) });
            }
            for opened in programs.join_all().await {
                opened.unwrap();
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_newer_file_is_refused() {
        let f = Fixture::sqlite().await;
        let flowmonkey_tests::database::Database::Sqlite(database) = &f.database else { panic!() };
        f.execute(NEWER).await;
        assert_schema_error(SqliteStore::open(&database.path).await, "newer");
    }
}
