use super::json;
use flowmonkey_jobs::job::{JobError, Outcome};
use flowmonkey_jobs::trial::TrialReport;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// How an attempt can end, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ending {
    Success,
    Wait,
    Retryable,
    Fatal,
    /// The handler's own, after it was told to stop.
    Cancelled,
}

impl Ending {
    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Success(_) => Ending::Success,
            Outcome::Wait { .. } => Ending::Wait,
            Outcome::Retryable { .. } | Outcome::Postponed { .. } => Ending::Retryable,
            Outcome::Fatal(_) => Ending::Fatal,
            Outcome::Released => Ending::Cancelled,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Ending::Success => "success",
            Ending::Wait => "wait",
            Ending::Retryable => "retryable",
            Ending::Fatal => "fatal",
            Ending::Cancelled => "cancelled",
        }
    }

    pub(super) fn is_failure(self) -> bool {
        matches!(self, Ending::Retryable | Ending::Fatal)
    }
}

/// The error that an attempt ended with.
pub(super) fn error(outcome: &Outcome) -> Option<&JobError> {
    match outcome {
        Outcome::Retryable { error, .. } | Outcome::Fatal(error) | Outcome::Postponed { error, .. } => {
            Some(error)
        }
        Outcome::Success(_) | Outcome::Wait { .. } | Outcome::Released => None,
    }
}

/// `expect` of a case, as it is written.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WrittenExpectation {
    outcome: Ending,
    result: Option<toml::Value>,
    result_json: Option<String>,
    code: Option<String>,
    message: Option<String>,
    checkpoint: Option<toml::Table>,
    #[serde(default)]
    logs: Vec<String>,
    enqueued: Option<usize>,
}

/// What an attempt must come to. What is absent may be anything.
#[derive(Debug, Clone)]
pub(super) struct Expectation {
    outcome: Ending,
    result: Option<Value>,
    code: Option<String>,
    message: Option<String>,
    checkpoint: Option<Value>,
    logs: Vec<String>,
    enqueued: Option<usize>,
}

/// Something that came otherwise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Miss {
    pub(super) what: &'static str,
    pub(super) expected: String,
    pub(super) came: String,
}

impl WrittenExpectation {
    pub(super) fn resolve(self) -> Result<Expectation, String> {
        let result = match (self.result, self.result_json) {
            (Some(_), Some(_)) => return Err("write result or result-json, not both".into()),
            (Some(value), None) => Some(json::of_toml(value).map_err(|why| format!("result: {why}"))?),
            (None, Some(text)) => {
                Some(serde_json::from_str(&text).map_err(|why| format!("result-json: not JSON: {why}"))?)
            }
            (None, None) => None,
        };
        let outcome = self.outcome.as_str();
        if result.is_some() && self.outcome != Ending::Success {
            return Err(format!("outcome {outcome:?} has no result"));
        }
        if (self.code.is_some() || self.message.is_some()) && !self.outcome.is_failure() {
            return Err(format!("outcome {outcome:?} has no code and no message"));
        }
        let checkpoint = self.checkpoint.map(|table| json::of_toml(table.into())).transpose();
        Ok(Expectation {
            outcome: self.outcome,
            result,
            code: self.code,
            message: self.message,
            checkpoint: checkpoint.map_err(|why| format!("checkpoint: {why}"))?,
            logs: self.logs,
            enqueued: self.enqueued,
        })
    }
}

impl Expectation {
    /// What came otherwise. Where the outcome is another one, its result and error are not compared.
    pub(super) fn misses(&self, report: &TrialReport) -> Vec<Miss> {
        let mut misses = Misses::default();
        let ending = Ending::of(&report.outcome);
        if ending == self.outcome {
            self.compare_outcome(&report.outcome, &mut misses);
        } else {
            let came = match (&report.outcome, error(&report.outcome)) {
                (_, Some(error)) => format!("{} {error}", ending.as_str()),
                (Outcome::Success(Some(result)), _) => format!("success {result}"),
                _ => ending.as_str().to_owned(),
            };
            misses.add("outcome", self.outcome.as_str(), came);
        }
        if let Some(expected) = &self.checkpoint {
            let saved: BTreeMap<&String, Value> =
                report.checkpoint.iter().map(|(key, text)| (key, json::value(text))).collect();
            misses.compare("checkpoint", expected, &serde_json::json!(saved));
        }
        let lines: Vec<String> = report.lines.iter().map(ToString::to_string).collect();
        for part in &self.logs {
            if !lines.iter().any(|line| line.contains(part)) {
                misses.add("logs", part, format!("no such line among {}", lines.len()));
            }
        }
        if let Some(expected) = self.enqueued.filter(|count| *count != report.enqueued.len()) {
            misses.add("enqueued", expected, report.enqueued.len());
        }
        misses.0
    }

    fn compare_outcome(&self, outcome: &Outcome, misses: &mut Misses) {
        if let (Some(expected), Outcome::Success(result)) = (&self.result, outcome) {
            let found = result.as_ref().map(json::value).unwrap_or_default();
            misses.compare("result", expected, &found);
        }
        let Some(error) = error(outcome) else { return };
        if let Some(expected) = self.code.as_ref().filter(|code| **code != error.code) {
            misses.add("code", expected, error);
        }
        if let Some(expected) = self.message.as_ref().filter(|part| !error.message.contains(part.as_str())) {
            misses.add("message", expected, &error.message);
        }
    }
}

#[derive(Default)]
struct Misses(Vec<Miss>);

impl Misses {
    fn add(&mut self, what: &'static str, expected: impl fmt::Display, came: impl fmt::Display) {
        self.0.push(Miss { what, expected: expected.to_string(), came: came.to_string() });
    }

    fn compare(&mut self, what: &'static str, expected: &Value, found: &Value) {
        match json::difference(expected, found) {
            None => {}
            Some(place) if place.is_empty() => self.add(what, expected, found),
            Some(place) => self.add(what, expected, format!("{found}, which differs at {place}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowmonkey_jobs::job::{JsonText, NewJob, Usage};
    use flowmonkey_jobs::sandbox::LogLevel;
    use flowmonkey_jobs::trial::TrialLine;

    fn json(text: &str) -> JsonText {
        JsonText::parse(text).unwrap()
    }

    fn report(outcome: Outcome) -> TrialReport {
        let fields = vec![("name".to_owned(), "Ada".to_owned())];
        TrialReport {
            outcome,
            usage: Usage::default(),
            lines: vec![TrialLine { level: LogLevel::Info, message: "greeting".into(), fields }],
            progress: Vec::new(),
            checkpoint: [("n".to_owned(), json("1"))].into(),
            context: None,
            enqueued: vec![("test-child-1".into(), NewJob::new("other", json("1")))],
            idempotency: BTreeMap::new(),
            requests: Vec::new(),
            calls: BTreeMap::new(),
        }
    }

    fn expectation(toml: &str) -> Result<Expectation, String> {
        toml::from_str::<WrittenExpectation>(toml).map_err(|error| error.to_string())?.resolve()
    }

    /// What is missed, each as `WHAT: CAME`.
    fn misses(toml: &str, outcome: Outcome) -> Vec<String> {
        let misses = expectation(toml).unwrap().misses(&report(outcome));
        misses.into_iter().map(|miss| format!("{}: {}", miss.what, miss.came)).collect()
    }

    #[test]
    fn every_expectation_is_met_or_missed() {
        let success = || Outcome::Success(Some(json("{\"a\": [1, null]}")));
        let bad = || Outcome::Fatal(JobError::guest("BAD".into(), "the name is empty".into(), None));
        let table: [(&str, Outcome, &[&str]); 18] = [
            ("outcome = 'success'", success(), &[]),
            ("outcome = 'success'\nresult-json = '{\"a\": [1.0, null]}'", success(), &[]),
            (
                "outcome = 'success'\nresult = { a = [2] }",
                success(),
                &["result: {\"a\":[1,null]}, which differs at /a/0"],
            ),
            ("outcome = 'success'\nresult-json = 'null'", Outcome::Success(None), &[]),
            ("outcome = 'success'\nresult = 1", Outcome::Success(None), &["result: null"]),
            ("outcome = 'fatal'", success(), &["outcome: success {\"a\": [1, null]}"]),
            ("outcome = 'fatal'\ncode = 'BAD'\nmessage = 'is empty'", bad(), &[]),
            ("outcome = 'fatal'\ncode = 'WORSE'", bad(), &["code: BAD: the name is empty"]),
            ("outcome = 'fatal'\nmessage = 'is full'", bad(), &["message: the name is empty"]),
            ("outcome = 'retryable'\ncode = 'X'", bad(), &["outcome: fatal BAD: the name is empty"]),
            ("outcome = 'cancelled'", Outcome::Released, &[]),
            ("outcome = 'wait'", Outcome::Released, &["outcome: cancelled"]),
            ("outcome = 'success'\ncheckpoint = { n = 1.0 }", success(), &[]),
            (
                "outcome = 'success'\ncheckpoint = {}",
                success(),
                &["checkpoint: {\"n\":1}, which differs at /n"],
            ),
            ("outcome = 'success'\nlogs = ['info greeting', 'name=Ada']", success(), &[]),
            ("outcome = 'success'\nlogs = ['name=Bob']", success(), &["logs: no such line among 1"]),
            ("outcome = 'success'\nenqueued = 1", success(), &[]),
            ("outcome = 'success'\nenqueued = 0", success(), &["enqueued: 1"]),
        ];
        for (toml, outcome, expected) in table {
            assert_eq!(misses(toml, outcome), expected, "{toml}");
        }
    }

    #[test]
    fn what_can_never_be_met_is_refused() {
        for (toml, expected) in [
            ("result = 1", "missing field `outcome`"),
            ("outcome = 'done'", "unknown variant `done`, expected one of `success`, `wait`"),
            ("outcome = 'fatal'\nresult = 1", "\"fatal\" has no result"),
            ("outcome = 'success'\ncode = 'X'", "\"success\" has no code"),
            ("outcome = 'wait'\nmessage = 'X'", "\"wait\" has no code and no message"),
            ("outcome = 'success'\nresult = 1\nresult-json = '1'", "not both"),
            ("outcome = 'success'\nresult-json = '{'", "result-json: not JSON"),
            ("outcome = 'success'\nlog = ['x']", "unknown field `log`"),
        ] {
            let error = expectation(toml).unwrap_err();
            assert!(error.contains(expected), "{toml}: {error}");
        }
    }
}
