//! A Postgres cluster for one run of the tests: its own folder, its own port, nothing left behind.

use crate::{Result, shell};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const VERSION_MIN: u32 = 14;
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A server that ends with this value.
pub(crate) struct Postgres {
    server: Child,
    folder: PathBuf,
    port: u16,
    programs: PathBuf,
}

/// Whether what a server has committed would survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// As in production: for measuring.
    Yes,
    /// Quicker: for tests, whose data is gone in a moment anyway.
    No,
}

impl Postgres {
    /// Finds or installs a server's programs, and starts one that nobody else uses.
    pub(crate) fn start(durable: Durable) -> Result<Self> {
        let programs = match installed() {
            Some(programs) => programs,
            None => {
                install()?;
                installed().ok_or("postgresql is installed, but its programs are not where they should be")?
            }
        };
        let owner = Owner::choose()?;
        let folder = std::env::temp_dir().join(format!("flowmonkey-postgres-{}", std::process::id()));
        std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        owner.give(&folder)?;
        let cluster = folder.join("cluster");
        let mut initdb = owner.command(&programs.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        if let Err(why) = shell::output(initdb.arg("-D").arg(&cluster)) {
            let _ = std::fs::remove_dir_all(&folder);
            return Err(why);
        }
        let port = free_port()?;
        let log = folder.join("log");
        let log = std::fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let quick = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
        let settings: &[&str] = if durable == Durable::No { &quick } else { &["max_wal_size=8GB"] };
        let mut server = owner.command(&programs.join("postgres"));
        server.arg("-D").arg(&cluster).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        server.arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
        for setting in settings.iter().chain(&["max_connections=300"]) {
            server.args(["-c", setting]);
        }
        let server = server.stdout(Stdio::null()).stderr(log).spawn();
        let server = server.map_err(|error| format!("postgres: {error}"))?;
        let mut postgres = Postgres { server, folder, port, programs };
        postgres.wait_until_ready()?;
        Ok(postgres)
    }

    /// Where its maintenance database is.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let port = self.port.to_string();
        loop {
            let mut probe = Command::new(self.programs.join("pg_isready"));
            if shell::output(probe.args(["-q", "-h", "127.0.0.1", "-p", &port])).is_ok() {
                return Ok(());
            }
            let ended = self.server.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("postgres does not start:\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is its "fast" shutdown: it ends the connections and then itself.
        shell::signal(&self.server, "INT");
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The folder with `initdb` and the rest: on the path, or where distributions put it, newest first.
fn installed() -> Option<PathBuf> {
    let whole =
        |folder: &PathBuf| ["initdb", "postgres", "pg_isready"].iter().all(|name| folder.join(name).exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(whole);
    on_path.or_else(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let numbered = versions.filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            (version >= VERSION_MIN).then(|| (version, entry.path().join("bin")))
        });
        numbered.filter(|(_, folder)| whole(folder)).max().map(|(_, folder)| folder)
    })
}

fn install() -> Result<()> {
    let remedy =
        "install PostgreSQL 14 or newer, or set DATABASE_URL to a server where databases may be created";
    if !Path::new("/usr/bin/apt-get").exists() || !is_root()? {
        return Err(format!("there is no PostgreSQL server here; {remedy}"));
    }
    eprintln!("xtask: installing postgresql");
    let apt = |arguments: &[&str]| {
        shell::run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt(&["update", "-qq"])
        .and_then(|()| apt(&["install", "-y", "-qq", "--no-install-recommends", "postgresql"]))
        .map_err(|why| format!("{why}; {remedy}"))
}

/// Postgres refuses to run as root, so root lends it to somebody else.
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn choose() -> Result<Self> {
        if !is_root()? {
            return Ok(Owner(None));
        }
        let id = |flag: &str, user: &str| -> Result<u32> {
            let text = shell::output(Command::new("id").args([flag, user]))?;
            text.trim().parse().map_err(|error| format!("id {flag} {user}: {error}"))
        };
        let user = if id("-u", "postgres").is_ok() { "postgres" } else { "nobody" };
        Ok(Owner(Some((id("-u", user)?, id("-g", user)?))))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // A folder that the owner may enter, whatever ours is.
        command.current_dir("/");
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }

    fn give(&self, folder: &Path) -> Result<()> {
        let Some((user, group)) = self.0 else { return Ok(()) };
        let given = std::os::unix::fs::chown(folder, Some(user), Some(group));
        given.map_err(|error| format!("{}: {error}", folder.display()))
    }
}

fn is_root() -> Result<bool> {
    Ok(shell::output(Command::new("id").arg("-u"))?.trim() == "0")
}

/// Free now; that nobody takes it before Postgres does is likely enough for a test.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("a free port: {error}"))?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}
