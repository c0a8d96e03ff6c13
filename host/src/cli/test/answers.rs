//! Recorded answers as they are written: in a file of their own, in `handler.test.toml`, in one of its cases.

use super::json;
use crate::cli::BadInput;
use flowmonkey_jobs::catalog::with_suggestion;
use flowmonkey_jobs::sandbox::RecordedAnswer;
use std::collections::BTreeMap;
use std::path::Path;

/// `{ url = "https://api.example.com/v1/*", status = 404, body = "text" }`
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WrittenAnswer {
    url: String,
    method: Option<String>,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    json: Option<toml::Value>,
}

/// A file of nothing but `[[answer]]`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenAnswers {
    #[serde(default)]
    answer: Vec<WrittenAnswer>,
}

impl WrittenAnswer {
    pub(super) fn resolve(self) -> Result<RecordedAnswer, String> {
        let WrittenAnswer { url, method, status, mut headers, body, json } = self;
        let of = |why: String| format!("the answer for {url:?}: {why}");
        let body = match (body, json) {
            (Some(_), Some(_)) => return Err(of("write body or json, not both".into())),
            (Some(text), None) => text.into_bytes(),
            (None, None) => Vec::new(),
            (None, Some(value)) => {
                if !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
                    headers.insert("content-type".into(), "application/json".into());
                }
                json::of_toml(value).map_err(of)?.to_string().into_bytes()
            }
        };
        let answer = RecordedAnswer { url, method, status: status.unwrap_or(200), headers, body };
        answer.check().map(|()| answer)
    }
}

/// The answers of a file.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<RecordedAnswer>> {
    let wrong = |why: &str| BadInput(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?;
    let written: WrittenAnswers =
        toml::from_str(&text).map_err(|error| wrong(&with_suggestion(&error.to_string())))?;
    let answers = written.answer.into_iter().map(WrittenAnswer::resolve);
    Ok(answers.collect::<Result<_, _>>().map_err(|why| wrong(&why))?)
}

/// The nearer answers, and of the farther ones those that answer something else.
pub(super) fn over(mut near: Vec<RecordedAnswer>, far: &[RecordedAnswer]) -> Vec<RecordedAnswer> {
    let is_new = |one: &&RecordedAnswer| !near.iter().any(|other| other.same_kind(one));
    let others: Vec<RecordedAnswer> = far.iter().filter(is_new).cloned().collect();
    near.extend(others);
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(toml: &str) -> Result<Vec<RecordedAnswer>, String> {
        let written: WrittenAnswers = toml::from_str(toml).map_err(|error| error.to_string())?;
        written.answer.into_iter().map(WrittenAnswer::resolve).collect()
    }

    #[test]
    fn json_says_so_and_text_is_taken_as_it_is() {
        let found = answers(
            "[[answer]]\nurl = 'https://a.test/'\njson = { a = [1] }\n\
             [[answer]]\nurl = 'https://a.test/b'\nmethod = 'POST'\nstatus = 404\nbody = 'no'\nheaders = { X-Own = '1' }\n\
             [[answer]]\nurl = 'https://a.test/c'\njson = 1\nheaders = { Content-Type = 'application/problem+json' }",
        );
        let found = found.unwrap();
        assert_eq!((found[0].status, found[0].body.as_slice()), (200, b"{\"a\":[1]}".as_slice()));
        assert_eq!(found[0].headers["content-type"], "application/json");
        assert_eq!((found[1].status, found[1].body.as_slice()), (404, b"no".as_slice()));
        assert_eq!((found[1].method.as_deref(), found[1].headers.len()), (Some("POST"), 1));
        assert_eq!(found[2].headers.len(), 1);
    }

    #[test]
    fn a_slip_is_told_its_place() {
        for (toml, expected) in [
            (
                "url = 'https://a.test/'\nbody = ''\njson = 1",
                "the answer for \"https://a.test/\": write body or json",
            ),
            ("url = 'https://a.test/'\nstat = 1", "unknown field `stat`"),
            ("status = 200", "missing field `url`"),
            ("url = 'nowhere'", "the answer for \"nowhere\": it begins with neither"),
        ] {
            let error = answers(&format!("[[answer]]\n{toml}")).unwrap_err();
            assert!(error.contains(expected), "{toml}: {error}");
        }
    }

    #[test]
    fn the_nearer_answer_hides_the_farther_one_of_its_kind() {
        let one = |url: &str, method: Option<&str>, status| {
            let method = method.map(str::to_owned);
            RecordedAnswer { url: url.into(), method, status, ..RecordedAnswer::default() }
        };
        let near = vec![
            one("https://a.test/x", None, 201),
            one("https://a.test/x", None, 202),
            one("https://a.test", Some("POST"), 203),
        ];
        let far = [
            one("https://a.test/x", None, 301),
            one("https://A.Test:443/x", None, 302),
            one("https://a.test/", Some("post"), 303),
            one("https://a.test/X", None, 401),
            one("https://a.test/x", Some("GET"), 402),
            one("https://a.test/x*", None, 403),
            one("http://a.test/x", None, 404),
        ];
        let all: Vec<u16> = over(near, &far).iter().map(|answer| answer.status).collect();
        assert_eq!(all, [201, 202, 203, 401, 402, 403, 404], "by what they answer, however it is spelled");
    }
}
