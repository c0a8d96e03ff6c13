//! Compiling what may attack the compiler: in children of the built program, with a cache.

mod bombs;
mod cache;
mod children;
mod code;
mod lines;

pub(crate) use bombs::many_functions;

use flowmonkey_jobs::sandbox::{
    ChildCompiler, Compilation, Limits, LoadError, Prepared, Sandbox, SandboxConfig,
};
use flowmonkey_tests::{guests, program};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// What the parent passes first; the child's greeting has so many bytes.
const ARGUMENT: &str = "__flowmonkey-compile";
const GREETING_BYTES: usize = 48;

/// A folder for scripts that stand in for the compiler, or before it.
struct Workshop {
    dir: TempDir,
}

impl Workshop {
    fn new() -> Self {
        Workshop { dir: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A shell script. Another process writes it: a file that this one has open for writing, if only in a
    /// child that another test is just starting, could not be started.
    fn script(&self, body: &str) -> PathBuf {
        let path = self.path("script");
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod 755 "$2""#;
        let done = Command::new("sh").args(["-c", write, "sh", body]).arg(&path).status().unwrap();
        assert!(done.success());
        path
    }

    /// The real compiler behind a script that counts its starts.
    fn counting(&self) -> PathBuf {
        let (count, program) = (self.path("count"), program::path());
        self.script(&format!("echo >> {}\nexec {} \"$@\"", count.display(), program.display()))
    }

    /// How often the script of [`Workshop::counting`] was started.
    fn count(&self) -> usize {
        std::fs::read(self.path("count")).map_or(0, |lines| lines.len())
    }

    fn cached(&self) -> ChildCompiler {
        ChildCompiler { cache_folder: Some(self.path("cache")), ..compiler(&self.counting()) }
    }
}

pub(crate) fn compiler(program: &Path) -> ChildCompiler {
    let at_once = NonZeroU32::new(2).unwrap();
    ChildCompiler { program: program.to_owned(), at_once, ..ChildCompiler::this_program().unwrap() }
}

fn sandbox(compiler: ChildCompiler) -> Sandbox {
    let two = NonZeroU32::new(2).unwrap();
    let config =
        SandboxConfig { attempts_max: two, threads: two, ..SandboxConfig::new(Compilation::Child(compiler)) };
    Sandbox::new(&config).unwrap_or_else(|error| panic!("{error}"))
}

/// What comes of compiling this with that program.
fn compile(program: &Path, component: &[u8], limits: &Limits) -> Result<Prepared, LoadError> {
    sandbox(compiler(program)).prepare(component, limits)
}

fn seconds(seconds: u64) -> Limits {
    Limits { compile_time_max: Duration::from_secs(seconds), ..Limits::default() }
}

/// A handler that returns, and differs from others of other numbers.
fn handler(number: usize) -> Vec<u8> {
    guests::handler(&format!(
        "(func (export \"run\") (param i32 i32) (result i32) (drop (i32.const {number})) (i32.const 1024))"
    ))
}

const ALONE: &str = "FLOWMONKEY_TEST_ALONE";

/// Runs a test's body in a process that does nothing else, since it looks at the process as a whole.
fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let ran = command.args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && out.contains("1 passed"), "{out}{err}");
}
