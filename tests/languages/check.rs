//! What a job must have come to, and the row of the table that tells it.

use flowmonkey_jobs::job::Job;
use serde_json::{Value, json};

/// The cells of one language's row: what did not hold, by behaviour.
#[derive(Default)]
pub(crate) struct Row {
    language: String,
    passed: usize,
    wrong: Vec<String>,
}

impl Row {
    pub(crate) fn of(language: &str) -> Self {
        Row { language: language.to_owned(), ..Row::default() }
    }

    /// One cell.
    pub(crate) fn cell(&mut self, behaviour: &str, verdict: Result<(), String>) {
        match verdict {
            Ok(()) => self.passed += 1,
            Err(why) => self.wrong.push(format!("{behaviour}: {why}")),
        }
    }

    /// Every cell passed, and there were so many.
    pub(crate) fn assert(&self, cells: usize) {
        assert!(self.wrong.is_empty(), "{}:\n  {}", self.language, self.wrong.join("\n  "));
        assert_eq!(self.passed, cells, "{}: cells", self.language);
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
