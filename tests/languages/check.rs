//! What a job must have come to, and the row of the table that tells it.

use flowmonkey_jobs::job::Job;
use flowmonkey_tests::database::{Database, Fixture};
use serde_json::{Value, json};
use std::path::Path;

/// The cells of one language's row on one store, which the test leaves for `cargo xtask test` to show.
pub(crate) struct Row {
    name: String,
    cells: Vec<(String, Result<(), String>)>,
}

impl Row {
    /// Of the behaviours or the examples of a language, on this store.
    pub(crate) fn of(what: &str, language: &str, fixture: &Fixture) -> Self {
        let store = match fixture.database {
            Database::Postgres(_) => "postgres",
            Database::Sqlite(_) => "sqlite",
        };
        Row { name: format!("{what}.{language}.{store}"), cells: Vec::new() }
    }

    /// One cell.
    pub(crate) fn cell(&mut self, behaviour: &str, verdict: Result<(), String>) {
        self.cells.push((behaviour.to_owned(), verdict));
    }

    /// Every cell passed, and there were so many.
    pub(crate) fn assert(&self, cells: usize) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/language-cells");
        std::fs::create_dir_all(&folder).unwrap();
        let mark = |passed: bool| if passed { "ok" } else { "FAILED" };
        let lines =
            self.cells.iter().map(|(behaviour, verdict)| format!("{}\t{behaviour}\n", mark(verdict.is_ok())));
        std::fs::write(folder.join(&self.name), lines.collect::<String>()).unwrap();
        let wrong = self
            .cells
            .iter()
            .filter_map(|(name, verdict)| Some(format!("{name}: {}", verdict.as_ref().err()?)));
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{}:\n  {}", self.name, wrong.join("\n  "));
        assert_eq!(self.cells.len(), cells, "{}: cells", self.name);
    }
}

/// The job's result as JSON; null when it has none.
pub(crate) fn result(job: &Job) -> Value {
    job.result.as_ref().map_or(Value::Null, |text| serde_json::from_str(text.as_str()).unwrap())
}

/// The job's error as JSON: code, message, details and the backtrace in one text.
pub(crate) fn error(job: &Job) -> Value {
    let Some(error) = &job.error else { return Value::Null };
    let details = error.details.as_ref().map(|text| serde_json::from_str::<Value>(text.as_str()).unwrap());
    json!({
        "code": error.code,
        "message": error.message,
        "details": details,
        "backtrace": error.backtrace.join("\n"),
    })
}

/// What is there must hold all that is wanted: objects may have more keys, all else is equal. Numbers are equal by value.
pub(crate) fn holds(there: &Value, wanted: &Value) -> Result<(), String> {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted.iter().try_for_each(|(key, value)| {
            holds(there.get(key).unwrap_or(&Value::Null), value).map_err(|why| format!(".{key}{why}"))
        }),
        (Value::Array(there), Value::Array(wanted)) if there.len() == wanted.len() => {
            there.iter().zip(wanted).try_for_each(|(there, wanted)| holds(there, wanted))
        }
        (Value::Number(there), Value::Number(wanted)) if there.as_f64() == wanted.as_f64() => Ok(()),
        (there, wanted) if there == wanted => Ok(()),
        (there, wanted) => {
            let short = |value: &Value| value.to_string().chars().take(300).collect::<String>();
            Err(format!(" is {}, wanted {}", short(there), short(wanted)))
        }
    }
}
