//! `cargo xtask demo`: the product on one screen, through its own program and nothing else.

mod reload;

use crate::screen::{self, Screen, Shown, text};
use crate::{Result, guests, shell};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const RECORDS: usize = 3000;
const FAIL_AT_LINE: usize = 1800;
const START_TIMEOUT: Duration = Duration::from_secs(60);
const DEMO_TIMEOUT: Duration = Duration::from_secs(120);

/// A job of the demo and how it must end.
struct Planned {
    title: &'static str,
    handler: &'static str,
    input: Value,
    status: &'static str,
    /// One of these, or none at all.
    codes: &'static [&'static str],
}

fn plan() -> Vec<Planned> {
    let job = |title, handler, input| Planned { title, handler, input, status: "completed", codes: &[] };
    let mail = |to: &str| {
        let body = "Hello {{name}},\n\nyour plan is {{plan}}.";
        let vars = json!({"name": "Ada", "plan": "free"});
        json!({"to": to, "subject": "Welcome, {{name}}", "body": body, "vars": vars})
    };
    let report = json!({"records": records(), "failAtLine": FAIL_AT_LINE, "pauseMsPerBatch": 400});
    vec![
        job("a mail", "email-send", mail("ada@example.com")),
        Planned {
            status: "failed",
            codes: &["BAD_ADDRESS"],
            ..job("a mail to a bad address", "email-send", mail("ada at example"))
        },
        job("a report, cut off halfway", "report-generate", report),
        job("fails twice, then succeeds", "flaky", json!({"retryAfterMs": 700})),
        Planned {
            status: "failed",
            codes: &["OUT_OF_FUEL", "TIMEOUT"],
            ..job("never ends by itself", "spin", json!({}))
        },
    ]
}

fn records() -> String {
    let regions = ["north", "south", "east", "west"];
    let products = ["tea", "coffee", "cocoa"];
    let line = |n: usize| {
        let amount = ((n * 7919) % 10_000) as f64 / 100.0;
        json!({"region": regions[n % 4], "product": products[n % 3], "amount": amount}).to_string()
    };
    (0..RECORDS).map(line).collect::<Vec<_>>().join("\n")
}

pub(crate) fn demo() -> Result<()> {
    let handlers = guests::build()?;
    let program = shell::build_program()?;
    let mut runner = Runner::start(program, &handlers)?;
    println!(
        "\n$ flowmonkey dev handlers/     an embedded store, five jobs, each attempt in a fresh sandbox\n"
    );
    let plan = plan();
    let ids = plan.iter().map(|job| runner.enqueue(job)).collect::<Result<Vec<_>>>()?;
    let jobs = watch(&mut runner, &plan, &ids)?;
    let shown: Vec<Shown<'_>> = pair(&plan, &jobs);
    println!("\n{}", screen::table(&shown));
    explain(&plan, &jobs);
    let reload = reload::show(&runner);
    runner.stop();
    reload?;
    let wrong: Vec<String> = plan.iter().zip(&jobs).filter_map(|(job, found)| misfit(job, found)).collect();
    if wrong.is_empty() {
        println!("Every job ended as it must.");
        Ok(())
    } else {
        Err(format!("these jobs did not end as they must:\n{}", wrong.join("\n")))
    }
}

/// Shows the jobs until none of them will change any more.
fn watch(runner: &mut Runner, plan: &[Planned], ids: &[String]) -> Result<Vec<Value>> {
    let mut screen = Screen::default();
    let deadline = Instant::now() + DEMO_TIMEOUT;
    loop {
        let listed: Vec<Value> = runner.call(&["jobs", "list", "--json"]).and_then(|text| parse(&text))?;
        let find = |id: &String| listed.iter().find(|job| text(job, "id") == id).cloned();
        let jobs: Option<Vec<Value>> = ids.iter().map(find).collect();
        let jobs = jobs.ok_or("a job is missing from the list")?;
        screen.draw(&pair(plan, &jobs));
        let ended = |job: &Value| matches!(text(job, "status"), "completed" | "failed" | "cancelled");
        if jobs.iter().all(ended) {
            return Ok(jobs);
        }
        if Instant::now() > deadline {
            return Err(format!("the jobs take too long; the runner says:\n{}", runner.log()));
        }
        runner.check_alive()?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn pair<'a>(plan: &'a [Planned], jobs: &'a [Value]) -> Vec<Shown<'a>> {
    let shown =
        |(job, found): (&'a Planned, &'a Value)| Shown { title: job.title, handler: job.handler, job: found };
    plan.iter().zip(jobs).map(shown).collect()
}

fn explain(plan: &[Planned], jobs: &[Value]) {
    let find = |handler: &str| {
        let both = plan.iter().zip(jobs);
        both.filter(|(job, _)| job.handler == handler).map(|(_, found)| found).next().unwrap_or(&Value::Null)
    };
    let report = &find("report-generate")["result"];
    println!(
        "The report broke off at line {FAIL_AT_LINE} on purpose; attempt {} went on from its checkpoint at line {}\n\
         and counted {} lines, none of them twice.",
        report["attempt"], report["resumedFromLine"], report["lines"],
    );
    let error = &find("spin")["error"];
    let frames = error["backtrace"].as_array().map(Vec::as_slice).unwrap_or_default();
    let frames: Vec<&str> = frames.iter().filter_map(Value::as_str).collect();
    if let Some(frame) = frames.first() {
        println!("The endless loop was stopped in {frame}, while the other jobs went on beside it.");
    }
}

/// How a job's end differs from the plan.
fn misfit(job: &Planned, found: &Value) -> Option<String> {
    let (status, code) = (text(found, "status"), found["error"]["code"].as_str());
    let expected_code = match code {
        None => job.codes.is_empty(),
        Some(code) => job.codes.contains(&code),
    };
    if status == job.status && expected_code {
        return None;
    }
    let wanted = format!("{} {}", job.status, job.codes.join(" or "));
    Some(format!("  {}: {status} {}, not {wanted}", job.title, code.unwrap_or_default()))
}

fn parse(text: &str) -> Result<Vec<Value>> {
    serde_json::from_str(text).map_err(|error| format!("`jobs list --json` printed no JSON: {error}"))
}

/// `flowmonkey dev` in a folder of its own, both gone when this is dropped.
struct Runner {
    program: PathBuf,
    folder: PathBuf,
    child: Child,
}

impl Runner {
    fn start(program: PathBuf, handlers: &Path) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("flowmonkey-demo-{}", std::process::id()));
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let log = File::create(folder.join("dev.log")).map_err(failed)?;
        let settings = ["--fuel", "20_000_000_000", "--timeout", "30s", "--retry-base", "1s"];
        let child = quiet(&program, &folder).arg("dev").arg(handlers).args(settings).stderr(log).spawn();
        let child = child.map_err(|error| format!("{}: {error}", program.display()))?;
        let mut runner = Runner { program, folder, child };
        let deadline = Instant::now() + START_TIMEOUT;
        while !runner.log().contains("runner started") {
            runner.check_alive()?;
            if Instant::now() > deadline {
                return Err(format!("flowmonkey dev does not start:\n{}", runner.log()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(runner)
    }

    /// A call of the program in the same folder, as a person would make it.
    fn call(&self, arguments: &[&str]) -> Result<String> {
        shell::output(quiet(&self.program, &self.folder).args(arguments))
    }

    fn enqueue(&self, job: &Planned) -> Result<String> {
        let file = self.folder.join("input.json");
        fs::write(&file, job.input.to_string()).map_err(|error| format!("{}: {error}", file.display()))?;
        let attempts = if job.handler == "spin" { "1" } else { "3" };
        let id =
            self.call(&["enqueue", job.handler, "--input", "@input.json", "--max-attempts", attempts])?;
        Ok(id.trim().to_owned())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("dev.log")).unwrap_or_default()
    }

    fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            ended => Err(format!("flowmonkey dev ended ({ended:?}):\n{}", self.log())),
        }
    }

    fn stop(&mut self) {
        shell::signal(&self.child, "TERM");
        let _ = self.child.wait();
    }
}

/// The program in that folder, with none of the user's settings for it.
fn quiet(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FLOWMONKEY_") {
            command.env_remove(name);
        }
    }
    command
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
