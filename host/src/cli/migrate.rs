use super::Exit;
use super::connect::{Database, Target, create_embedded};
use flowmonkey_jobs::store::{PgStore, SqliteStore};

pub(super) async fn migrate(target: &Target, json: bool) -> anyhow::Result<Exit> {
    match target.database()? {
        Database::Postgres(url) => PgStore::migrate(&url).await?.close().await,
        Database::Sqlite(path) => SqliteStore::open(&path).await?.close().await,
        Database::Embedded => drop(create_embedded().await?),
    }
    say!("{}", if json { r#"{"migrated":true}"# } else { "The tables are those of this version." });
    Ok(Exit::Done)
}
