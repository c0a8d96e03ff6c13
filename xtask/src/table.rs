//! `cargo xtask guests`: what a handler costs in each language, measured here and now.

use crate::toolchains::Toolchain;
use crate::{Result, languages, shell, toolchains};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The handler that is measured: it reads JSON, logs and writes JSON.
const HANDLER: &str = "starter";
/// Attempts of which the quickest counts: the others met something else on this machine.
const ATTEMPTS: usize = 20;
/// For faults alone.
const PATIENCE: Duration = Duration::from_secs(600);
const INPUT: &str = "{\"name\": \"Ada\"}";
/// The handler that is edited, and how.
const RELOADED: &str = "reloaded";
const GREETING: &str = "Hello, ";
const EDITED: &str = "Servus, ";

/// Prints a table in Markdown, a line a language, as it is measured.
pub(crate) fn measure() -> Result<()> {
    crate::guests::build()?;
    let program = shell::build_program()?;
    let toolchains = toolchains::all();
    println!(
        "| language | build, first / again | component | instructions | memory | an attempt | from a save to a job on it |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for Toolchain { language, found } in &toolchains {
        match found {
            Ok(_) => println!("{}", row(language, &Bench { program: &program, toolchains: &toolchains })?),
            Err(why) => println!("| {language} | skipped: {why} | | | | | |"),
        }
    }
    Ok(())
}

struct Bench<'a> {
    program: &'a Path,
    toolchains: &'a [Toolchain],
}

fn row(language: &str, bench: &Bench<'_>) -> Result<String> {
    let folder = languages::folder(language, HANDLER);
    let target = folder.join("target");
    if target.exists() {
        std::fs::remove_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    }
    // Tools that keep what they have built of their own library begin without it.
    let (first, _) = bench.build(&folder, &target.join("empty-caches"))?;
    touch(&folder)?;
    let (again, built) = bench.build(&folder, &target.join("empty-caches"))?;
    let mut quickest = u64::MAX;
    let mut usage = Value::Null;
    for _ in 0..ATTEMPTS {
        usage = bench.attempt(&folder)?["usage"].take();
        quickest = quickest.min(usage["wall_us"].as_u64().unwrap_or(u64::MAX));
    }
    let reload = bench.reload(language)?;
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    Ok(format!(
        "| {language} | {first:.1} s / {again:.1} s | {:.0} KB | {:.2} M | {:.1} MB | {:.2} ms | {reload:.1} s |",
        number(&built["bytes"]) / 1e3,
        number(&usage["fuel"]) / 1e6,
        number(&usage["memory_bytes"]) / 1e6,
        quickest as f64 / 1e3,
    ))
}

impl Bench<'_> {
    fn build(&self, folder: &Path, caches: &Path) -> Result<(f64, Value)> {
        let mut call = Command::new(self.program);
        for (name, cache) in [("GOCACHE", "go"), ("ZIG_GLOBAL_CACHE_DIR", "zig")] {
            call.env(name, caches.join(cache));
        }
        let started = Instant::now();
        let built = self.json(&mut call, &["build"], folder)?;
        Ok((started.elapsed().as_secs_f64(), built))
    }

    fn attempt(&self, folder: &Path) -> Result<Value> {
        self.json(&mut Command::new(self.program), &["test", "--input", INPUT], folder)
    }

    /// Seconds from an edit of a new handler, under `flowmonkey dev`, to the end of the first job that runs it.
    fn reload(&self, language: &str) -> Result<f64> {
        let folder = shell::root().join("target/reload").join(language);
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(failed)?;
        }
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let call = |words: &[&str]| {
            let mut call = Command::new(self.program);
            toolchains::offer(self.toolchains, &mut call);
            call.current_dir(&folder).args(words);
            call
        };
        shell::output(&mut call(&["new", RELOADED, "--lang", language]))?;
        let log = std::fs::File::create(folder.join("log")).map_err(failed)?;
        let mut dev = call(&["dev", RELOADED]);
        let dev = Running(dev.stdout(log.try_clone().map_err(failed)?).stderr(log).spawn().map_err(failed)?);
        let until = |greeting: &str| {
            let began = Instant::now();
            let enqueue = ["enqueue", RELOADED, "--input", INPUT, "--wait", "--wait-timeout", "5m"];
            // At the beginning there is no database yet.
            while !shell::output(&mut call(&enqueue)).is_ok_and(|said| said.contains(greeting)) {
                if began.elapsed() > PATIENCE {
                    return Err(format!("no job said {greeting:?}; see {}/log", folder.display()));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        };
        until(GREETING)?;
        edit(&folder.join(RELOADED))?;
        let saved = Instant::now();
        until(EDITED)?;
        let seconds = saved.elapsed().as_secs_f64();
        drop(dev);
        Ok(seconds)
    }

    fn json(&self, call: &mut Command, words: &[&str], folder: &Path) -> Result<Value> {
        toolchains::offer(self.toolchains, call);
        let said = shell::output(call.args(words).arg(folder).arg("--json"))?;
        serde_json::from_str(&said).map_err(|error| format!("{words:?}: {error} in {said}"))
    }
}

/// Ended with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        shell::signal(&self.0, "TERM");
        let _ = self.0.wait();
    }
}

/// Changes the line that greets, in whichever file it is.
fn edit(folder: &Path) -> Result<()> {
    let files = [folder.to_owned(), folder.join("src")]
        .into_iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    for path in files.flatten().flatten().map(|entry| entry.path()) {
        let is_source = path.extension().is_some_and(|extension| extension != "toml" && extension != "md");
        if let Ok(text) = std::fs::read_to_string(&path)
            && is_source
            && text.contains(GREETING)
        {
            let edited = text.replace(GREETING, EDITED);
            return std::fs::write(&path, edited).map_err(|error| format!("{}: {error}", path.display()));
        }
    }
    Err(format!("{}: no file says {GREETING:?}", folder.display()))
}

/// Makes the source look changed.
fn touch(folder: &Path) -> Result<()> {
    let manifest: PathBuf = folder.join("handler.toml");
    let text = std::fs::read(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    std::fs::write(&manifest, text).map_err(|error| format!("{}: {error}", manifest.display()))
}
