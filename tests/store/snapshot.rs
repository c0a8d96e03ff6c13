//! The schema that the migrations come to, as text that a reviewer reads: tests/store/snapshots.

use flowmonkey_tests::database::{Database, Fixture};
use sqlx::AssertSqlSafe;
use std::path::Path;

/// Set, the snapshots are written anew instead of compared.
const RENEW: &str = "FLOWMONKEY_RENEW_SNAPSHOTS";

/// One line an object. What Postgres versions print differently is left out: the not-null constraints
/// that 18 lists beside the columns, and the bodies of functions.
const POSTGRES: &[(&str, &str)] = &[
    (
        "columns",
        "select table_name || '.' || column_name || ' ' || data_type
            || coalesce(' collate ' || collation_name, '')
            || case is_nullable when 'NO' then ' not null' else '' end
            || coalesce(' default ' || column_default, '')
        from information_schema.columns
        where table_schema = 'public' and table_name <> '_sqlx_migrations'
        order by table_name collate \"C\", ordinal_position",
    ),
    (
        "constraints",
        "select conrelid::regclass::text || ' ' || conname || ': ' || pg_get_constraintdef(oid)
        from pg_constraint
        where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'p', 'u')
            and conrelid <> '_sqlx_migrations'::regclass
        order by conrelid::regclass::text collate \"C\", conname",
    ),
    (
        "indexes",
        "select indexdef from pg_indexes
        where schemaname = 'public' and tablename <> '_sqlx_migrations'
        order by indexname",
    ),
    ("triggers", "select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal order by tgname"),
    (
        "functions",
        "select proname || '(' || pg_get_function_arguments(oid) || ') returns '
            || pg_get_function_result(oid) || ' '
            || case provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end
        from pg_proc where pronamespace = 'public'::regnamespace
        order by proname",
    ),
];

const SQLITE: &[(&str, &str)] = &[(
    "objects",
    "select sql from sqlite_master
    where sql is not null and name not like '\\_sqlx%' escape '\\'
    order by type, name",
)];

async fn lines(database: &Database, sql: &'static str) -> Vec<String> {
    let sql = AssertSqlSafe(sql);
    match database {
        Database::Postgres(database) => sqlx::query_scalar(sql).fetch_all(&database.pool).await.unwrap(),
        Database::Sqlite(database) => sqlx::query_scalar(sql).fetch_all(&database.pool).await.unwrap(),
    }
}

/// The schema of a database as text.
pub(crate) async fn schema(f: &Fixture) -> String {
    let parts = match f.database {
        Database::Postgres(_) => POSTGRES,
        Database::Sqlite(_) => SQLITE,
    };
    let mut text = String::new();
    for (title, sql) in parts {
        text.push_str(&format!("# {title}\n\n{}\n\n", lines(&f.database, sql).await.join("\n")));
    }
    text.trim_end().to_owned() + "\n"
}

fn assert_as_before(engine: &str, schema: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("store/snapshots/{engine}.txt"));
    if std::env::var_os(RENEW).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, schema).unwrap();
        return;
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let (now, then): (Vec<_>, Vec<_>) = (schema.lines().collect(), before.lines().collect());
    let added = now.iter().filter(|line| !then.contains(line)).map(|line| format!("+ {line}\n"));
    let removed = then.iter().filter(|line| !now.contains(line)).map(|line| format!("- {line}\n"));
    assert!(
        schema == before,
        "the migrations of {engine} come to another schema than tests/store/snapshots/{engine}.txt has:\n\
        {}{}If that is meant, run `{RENEW}=1 cargo xtask test -p flowmonkey-tests --test store -- snapshot` \
        and commit what it wrote.",
        removed.collect::<String>(),
        added.collect::<String>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_postgres_schema_is_the_one_that_was_reviewed() {
    let f = Fixture::postgres().await;
    assert_as_before("postgres", &schema(&f).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sqlite_schema_is_the_one_that_was_reviewed() {
    let f = Fixture::sqlite().await;
    assert_as_before("sqlite", &schema(&f).await);
}
