//! `handler.test.toml`: attempts and what each must come to.

use super::answers::{self, WrittenAnswer};
use super::expect::{Expectation, WrittenExpectation};
use super::grant::{Denied, Granted};
use super::json;
use super::setup::{Setup, Told, attempts};
use flowmonkey_jobs::catalog::with_suggestion;
use flowmonkey_jobs::job::JsonText;
use flowmonkey_jobs::sandbox::{Directive, RecordedAnswer};
use flowmonkey_jobs::trial::{Trial, Values};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// The file beside a handler's `handler.toml` that says how it is tested.
pub(super) const FILE_NAME: &str = "handler.test.toml";

/// An attempt and what it must come to.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) setup: Setup,
    pub(super) expect: Expectation,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenCases {
    #[serde(default)]
    case: Vec<WrittenCase>,
    #[serde(default)]
    answer: Vec<WrittenAnswer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenCase {
    name: String,
    input: Option<toml::Value>,
    input_file: Option<PathBuf>,
    attempt: Option<NonZeroU32>,
    max_attempts: Option<NonZeroU32>,
    #[serde(default)]
    checkpoint: toml::Table,
    resumed_with: Option<toml::Value>,
    #[serde(default)]
    config: BTreeMap<String, String>,
    context: Option<toml::Table>,
    #[serde(default)]
    idempotency: toml::Table,
    #[serde(default)]
    grant: Vec<Granted>,
    #[serde(default)]
    deny: Vec<Denied>,
    directive: Option<Told>,
    #[serde(default)]
    answers: Vec<WrittenAnswer>,
    expect: WrittenExpectation,
}

/// The cases of a handler's folder, with these answers beneath their own. What is wrong is told with the file, the
/// case and the key.
pub(super) fn read(folder: &Path, beneath: &[RecordedAnswer]) -> Result<Vec<Case>, String> {
    let path = folder.join(FILE_NAME);
    let wrong = |why: String| format!("{}: {why}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    parse(&text, folder, beneath).map_err(wrong)
}

fn parse(text: &str, folder: &Path, beneath: &[RecordedAnswer]) -> Result<Vec<Case>, String> {
    let written: WrittenCases = toml::from_str(text).map_err(|error| {
        let at = culprit(text).map(|name| format!("case {name:?}: ")).unwrap_or_default();
        at + &with_suggestion(&error.to_string())
    })?;
    if written.case.is_empty() {
        return Err("it has no [[case]]".into());
    }
    let own = written.answer.into_iter().map(WrittenAnswer::resolve).collect::<Result<_, _>>()?;
    let all = answers::over(own, beneath);
    let mut names = BTreeSet::new();
    let one = |case: WrittenCase| {
        let name = case.name.clone();
        let of = |why: String| format!("case {name:?}: {why}");
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            return Err(of("the name is empty or has a control character".into()));
        }
        if !names.insert(name.clone()) {
            return Err(of("there are two of this name".into()));
        }
        case.resolve(folder, &all).map_err(of)
    };
    written.case.into_iter().map(one).collect()
}

/// The name of the first case that cannot be read, to be told with the line.
fn culprit(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let cases = table.get("case")?.as_array()?;
    let wrong = cases.iter().find(|case| WrittenCase::deserialize((*case).clone()).is_err())?;
    Some(wrong.get("name")?.as_str()?.to_owned())
}

impl WrittenCase {
    fn resolve(self, folder: &Path, beneath: &[RecordedAnswer]) -> Result<Case, String> {
        let (attempt, max_attempts) = attempts(self.attempt, self.max_attempts)?;
        let input = match (self.input, self.input_file) {
            (Some(_), Some(_)) => return Err("write input or input-file, not both".into()),
            (Some(value), None) => text("input", value)?,
            (None, Some(file)) => {
                from_file(&folder.join(file)).map_err(|why| format!("input-file: {why}"))?
            }
            (None, None) => text("input", None)?,
        };
        let own = self.answers.into_iter().map(WrittenAnswer::resolve).collect::<Result<_, _>>()?;
        let trial = Trial {
            attempt,
            max_attempts,
            checkpoint: values("checkpoint", self.checkpoint)?,
            resumed_with: self.resumed_with.map(|value| text("resumed-with", value)).transpose()?,
            directive: self.directive.map_or(Directive::Proceed, Directive::from),
            context: self.context.map(|table| values("context", table)).transpose()?,
            idempotency: values("idempotency", self.idempotency)?,
            ..Trial::new(input)
        };
        let setup = Setup {
            trial,
            config: self.config,
            grants: self.grant,
            denied: self.deny,
            answers: answers::over(own, beneath),
        };
        let expect = self.expect.resolve().map_err(|why| format!("expect: {why}"))?;
        Ok(Case { name: self.name, setup, expect })
    }
}

/// JSON text of what is written under a key; of nothing, `null`.
fn text(key: &str, value: impl Into<Option<toml::Value>>) -> Result<JsonText, String> {
    let value = value.into().map_or(Ok(Value::Null), json::of_toml);
    value.and_then(|value| json::text(&value)).map_err(|why| format!("{key}: {why}"))
}

fn values(key: &str, table: toml::Table) -> Result<Values, String> {
    let one =
        |(name, value): (String, toml::Value)| Ok((name.clone(), text(&format!("{key}.{name}"), value)?));
    table.into_iter().map(one).collect()
}

fn from_file(path: &Path) -> Result<JsonText, String> {
    let of = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| of(&error))?;
    JsonText::parse(&text).map_err(|error| of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(text: &str) -> Result<Vec<Case>, String> {
        parse(text, Path::new("nowhere"), &[])
    }

    const EXPECT: &str = "expect = { outcome = 'success' }";

    #[test]
    fn a_case_says_all_that_an_attempt_can_be_given() {
        let text = "[[answer]]\nurl = 'https://a.test/'\n\
            [[answer]]\nurl = 'https://b.test/'\nstatus = 500\n\
            [[case]]\nname = 'all'\ninput = { a = [1, 2.5] }\nattempt = 2\nmax-attempts = 4\ncheckpoint = { n = 1 }\n\
            resumed-with = 'paid'\nconfig = { region = 'eu' }\ncontext = { k = true }\nidempotency = { sent = true }\n\
            grant = ['context', 'http=a.test']\ndeny = ['queue']\ndirective = 'drain'\n\
            answers = [{ url = 'https://b.test/', json = { id = 7 } }]\n\
            expect = { outcome = 'cancelled', checkpoint = {}, logs = ['x'], enqueued = 0 }\n\
            [[case]]\nname = 'plain'\nexpect.outcome = 'success'";
        let cases = cases(text).unwrap();
        let Setup { trial, config, grants, denied, answers } = &cases[0].setup;
        assert_eq!((trial.input.as_str(), trial.attempt, trial.max_attempts), ("{\"a\":[1,2.5]}", 2, 4));
        assert_eq!((trial.checkpoint["n"].as_str(), trial.directive), ("1", Directive::Drain));
        assert_eq!(trial.resumed_with.as_ref().unwrap().as_str(), "\"paid\"");
        assert_eq!(
            (trial.context.as_ref().unwrap()["k"].as_str(), config["region"].as_str()),
            ("true", "eu")
        );
        assert_eq!((grants.len(), denied.len(), trial.idempotency.len()), (2, 1, 1));
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [200, 200], "its own, and of the file's the other one");
        let plain = &cases[1].setup;
        assert_eq!((plain.trial.input.as_str(), plain.trial.attempt), ("null", 1));
        assert!(plain.trial.context.is_none() && plain.answers.len() == 2);
    }

    #[test]
    fn a_slip_is_told_with_its_case_and_what_was_meant() {
        let table = [
            ("", "no [[case]]"),
            ("[[cases]]\nname = 'a'", "unknown field `cases`, did you mean `case`?"),
            ("[[case]]\nname = 'a'\ninputs = 1\nEXPECT", "case \"a\": TOML parse error at line 3"),
            ("[[case]]\nname = 'a'\ninputs = 1\nEXPECT", "did you mean `input`?"),
            ("[[case]]\nname = 'a'\nexpect = { outcom = 'success' }", "did you mean `outcome`?"),
            ("[[case]]\nname = 'a'", "case \"a\": TOML parse error"),
            ("[[case]]\nname = 'a'", "missing field `expect`"),
            ("[[case]]\nname = ' '\nEXPECT", "the name is empty"),
            ("[[case]]\nname = 'a'\nEXPECT\n[[case]]\nname = 'a'\nEXPECT", "case \"a\": there are two"),
            (
                "[[case]]\nname = 'a'\ninput = 1\ninput-file = 'x'\nEXPECT",
                "case \"a\": write input or input-file",
            ),
            ("[[case]]\nname = 'a'\ninput-file = 'x.json'\nEXPECT", "input-file: nowhere/x.json: "),
            ("[[case]]\nname = 'a'\ninput = nan\nEXPECT", "case \"a\": input: NaN is no number"),
            (
                "[[case]]\nname = 'a'\ncheckpoint = { k = \"\\u0000\" }\nEXPECT",
                "checkpoint.k: a string holds NUL",
            ),
            ("[[case]]\nname = 'a'\nattempt = 0\nEXPECT", "nonzero"),
            ("[[case]]\nname = 'a'\nattempt = 4\nmax-attempts = 3\nEXPECT", "attempt 4 is beyond"),
            ("[[case]]\nname = 'a'\ngrant = ['sockets']\nEXPECT", "there is no grant \"sockets\""),
            ("[[case]]\nname = 'a'\ndirective = 'stop'\nEXPECT", "expected `drain` or `cancel`"),
            ("[[case]]\nname = 'a'\nanswers = [{ url = 'x', body = '', json = 1 }]\nEXPECT", "body or json"),
            (
                "[[case]]\nname = 'a'\nexpect = { outcome = 'wait', code = 'X' }",
                "case \"a\": expect: outcome \"wait\"",
            ),
        ];
        for (text, expected) in table {
            let error = cases(&text.replace("EXPECT", EXPECT)).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_the_examples_are_tested_by_can_be_read() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples");
        let folders = |folder: &Path| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.filter(|path| path.is_dir()).collect()
        };
        let handlers = folders(&examples).into_iter().flat_map(|language| folders(&language));
        for folder in handlers.filter(|folder| folder.join(FILE_NAME).is_file()) {
            read(&folder, &[]).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Each key that serde knows, from the list in its error, has a row.
    #[test]
    fn every_key_is_in_its_page() {
        let page = include_str!("../../../HANDLER.md");
        let (_, page) = page.split_once("## `handler.test.toml`").unwrap();
        let unknown = "zzzzzzzzzzzzzzzzzzzz = 1";
        let texts = [
            format!("[[case]]\n{unknown}"),
            format!("[[case]]\nname = ''\n[case.expect]\n{unknown}"),
            format!("[[answer]]\n{unknown}"),
        ];
        let mut known = Vec::new();
        for text in texts {
            let error = toml::from_str::<WrittenCases>(&text).unwrap_err().to_string();
            let (_, list) = error.split_once("expected one of").unwrap_or_else(|| panic!("{error}"));
            known.extend(list.split('`').skip(1).step_by(2).map(str::to_owned));
        }
        assert!(known.len() >= 25, "{known:?}");
        for key in known {
            assert!(page.contains(&format!("| `{key}` |")), "host/HANDLER.md has no row for `{key}`");
        }
    }
}
