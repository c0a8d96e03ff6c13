//! The program `flowmonkey`, as people and other programs use it: in a folder of its own.

use crate::guests;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What every wait of these tests ends at, so that a fault shows as a failure. Nothing is asserted
/// about how much of it is used.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The built program: `FLOWMONKEY_PROGRAM`, or beside the tests that run.
pub fn path() -> PathBuf {
    let named = std::env::var_os("FLOWMONKEY_PROGRAM").map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let tests = std::env::current_exe().unwrap();
        tests.parent().and_then(Path::parent).unwrap().join("flowmonkey")
    });
    assert!(path.exists(), "there is no program at {}; run `cargo xtask test`", path.display());
    path
}

/// Where the program keeps machine code in all these tests: compiled once, and not into the user's own
/// folder.
fn cache_folder() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().and_then(Path::parent).unwrap().join("test-cache")
}

/// A folder to run the program in, gone with this value.
pub struct Folder {
    dir: TempDir,
    database_url: Option<String>,
}

/// What a call came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    /// Calls use the embedded store of this folder.
    #[expect(clippy::new_without_default, reason = "a folder on disk is no default")]
    pub fn new() -> Self {
        Folder { dir: TempDir::new().unwrap(), database_url: None }
    }

    /// Calls use this database.
    pub fn with_database(url: impl Into<String>) -> Self {
        Folder { database_url: Some(url.into()), ..Folder::new() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Puts example components into `handlers/`.
    pub fn handlers(&self, names: &[&str]) {
        for name in names {
            self.write(&format!("handlers/{name}.wasm"), guests::example(name));
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(path());
        command.current_dir(self.path()).args(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FLOWMONKEY_") {
                command.env_remove(name);
            }
        }
        command.env("FLOWMONKEY_CACHE_FOLDER", cache_folder());
        if let Some(url) = &self.database_url {
            command.env("FLOWMONKEY_DATABASE_URL", url);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }

    /// As [`Folder::run`], with its results elsewhere.
    pub fn run_printing_to(&self, arguments: &[&str], out: impl Into<Stdio>) -> Ran {
        let mut command = self.command(arguments);
        Ran::of(command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).output().unwrap())
    }

    /// As [`Folder::run`], in another environment.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = self.command(arguments);
        Ran::of(command.envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap())
    }

    /// As [`Folder::run`], and panics unless it ends with 0.
    pub fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.stdout
    }

    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.done(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error} in {text}"))
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Refused input need not be read to its end, so the pipe may break.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran::of(child.wait_with_output().unwrap())
    }

    pub fn spawn(&self, arguments: &[&str]) -> Process {
        let log = tempfile::NamedTempFile::new_in(self.path()).unwrap().into_temp_path().keep().unwrap();
        let out = File::create(&log).unwrap();
        let err = out.try_clone().unwrap();
        let mut process = self.spawn_writing_to(arguments, out, err);
        process.log = log;
        process
    }

    /// As [`Folder::spawn`], but what it writes is not in [`Process::log`].
    pub fn spawn_writing_to(
        &self,
        arguments: &[&str],
        out: impl Into<Stdio>,
        err: impl Into<Stdio>,
    ) -> Process {
        let child = self.command(arguments).stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap();
        Process { child, log: "/dev/null".into() }
    }

    /// Enqueues and returns the id.
    pub fn enqueue(&self, arguments: &[&str]) -> String {
        self.done(&[&["enqueue"], arguments].concat()).trim().to_owned()
    }

    /// The job as JSON once it fits.
    pub fn wait_for_job(&self, id: &str, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        self.wait_for(&["jobs", "show", id], fits)
    }

    /// The handler of the database as JSON once it fits.
    pub fn wait_for_handler(
        &self,
        name: &str,
        fits: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        self.wait_for(&["handlers", "show", name], fits)
    }

    /// What a call says, as JSON, once it fits.
    fn wait_for(&self, call: &[&str], fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.json(call);
            if fits(&said) {
                return said;
            }
            assert!(Instant::now() < deadline, "it never came to that: {said:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn wait_for_status(&self, id: &str, status: &str) -> serde_json::Value {
        self.wait_for_job(id, |job| job["status"] == status)
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The program in the background; killed with this value.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// All that it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has written this.
    pub fn wait_for_log(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{text:?} is not in {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Pauses it, and returns once every thread of it stands still.
    pub fn stop(&self) {
        self.signal("STOP");
        let tasks = format!("/proc/{}/task", self.child.id());
        let stands = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
            // The state follows the name, which is in parentheses and may hold anything (proc(5)).
            stat.rsplit_once(") ").unwrap().1.starts_with('T')
        };
        while !std::fs::read_dir(&tasks).unwrap().all(stands) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it as a power cut would: no handler of its own runs.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end and returns the exit code.
    pub fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A number of this process that `/proc/self/status` has, in KiB.
#[cfg(target_os = "linux")]
pub fn status_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches([':', '\t', ' ']).trim_end_matches(" kB").parse().unwrap()
}
