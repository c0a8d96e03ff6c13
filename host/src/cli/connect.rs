use super::BadInput;
use flowmonkey_jobs::store::{PgStore, SharedStore, SqliteStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the embedded store of a folder lives.
const EMBEDDED: &str = ".flowmonkey/jobs.db";

/// Which database.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// postgres://USER:PASSWORD@HOST/DATABASE or sqlite:FILE [default: .flowmonkey/jobs.db here, which
    /// `flowmonkey dev` creates]
    #[arg(long, global = true, value_name = "URL", env = "FLOWMONKEY_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// A URL that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Database {
    Postgres(String),
    Sqlite(PathBuf),
    Embedded,
}

impl Target {
    pub(super) fn database(&self) -> anyhow::Result<Database> {
        let Some(url) = &self.database_url else { return Ok(Database::Embedded) };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Database::Postgres(url.clone()));
        }
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(BadInput("the database URL names no file: write sqlite:FILE".into()).into());
            }
            return Ok(Database::Sqlite(path.into()));
        }
        // Not the URL itself: it may hold a password.
        let message = "the database URL must begin with postgres:// or sqlite:";
        Err(BadInput(message.into()).into())
    }

    /// Opens a database that is there. The embedded ones are brought up to date on the way; Postgres is
    /// migrated when somebody says so.
    pub(super) async fn open(&self, connections_max: u32) -> anyhow::Result<SharedStore> {
        match self.database()? {
            Database::Postgres(url) => Ok(Arc::new(PgStore::connect(&url, connections_max).await?)),
            Database::Sqlite(path) => open_file(&path).await,
            Database::Embedded => open_file(Path::new(EMBEDDED)).await,
        }
    }

    /// Opens a database, creating an embedded one.
    pub(super) async fn open_or_create(&self, connections_max: u32) -> anyhow::Result<SharedStore> {
        match self.database()? {
            Database::Embedded => create_embedded().await,
            Database::Sqlite(path) => Ok(Arc::new(SqliteStore::open(&path).await?)),
            Database::Postgres(_) => self.open(connections_max).await,
        }
    }
}

async fn open_file(path: &Path) -> anyhow::Result<SharedStore> {
    if !path.exists() {
        let message = format!(
            "there is no store at {}: start `flowmonkey dev` in this folder, or name a database with \
             --database-url",
            path.display()
        );
        return Err(BadInput(message).into());
    }
    Ok(Arc::new(SqliteStore::open_existing(path).await?))
}

/// The folder is for this user alone: jobs may hold anything.
pub(super) async fn create_embedded() -> anyhow::Result<SharedStore> {
    use std::os::unix::fs::DirBuilderExt;
    let path = Path::new(EMBEDDED);
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    Ok(Arc::new(SqliteStore::open(path).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(url: &str) -> anyhow::Result<Database> {
        Target { database_url: Some(url.into()) }.database()
    }

    #[test]
    fn urls_are_told_apart_and_never_repeated() {
        assert_eq!(Target { database_url: None }.database().unwrap(), Database::Embedded);
        assert_eq!(database("sqlite:a/b.db").unwrap(), Database::Sqlite("a/b.db".into()));
        assert_eq!(database("sqlite:///a.db").unwrap(), Database::Sqlite("/a.db".into()));
        assert!(matches!(database("postgres://u:p@h/d").unwrap(), Database::Postgres(_)));
        for url in ["mysql://u:secret@h/d", "u:secret@h", "sqlite:", "sqlite://"] {
            let error = database(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
