//! Recorded answers, played in place of the network: to try a handler out without sending anything.

mod asked;
mod checked;

pub(super) use asked::Asked;

use checked::{Checked, Kind};
use http::Method;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a server answered, or shall have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// The URL that it answers, or a beginning of URLs that ends in `*`.
    pub url: String,
    /// The method that it answers; none is every one.
    pub method: Option<String>,
    /// 200 to 599.
    pub status: u16,
    /// Its header fields.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl RecordedAnswer {
    /// # Errors
    /// Names the answer and why it could never be played.
    pub fn check(&self) -> Result<(), String> {
        Checked::of(self.clone()).map(drop)
    }

    /// Whether it answers the same URL and method, however the two are spelled. What could never be played is of
    /// no kind.
    pub fn same_kind(&self, other: &Self) -> bool {
        Kind::of(self).is_ok_and(|own| Kind::of(other).is_ok_and(|other| own == other))
    }
}

/// What becomes of a request that no recorded answer fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beyond {
    /// It goes out.
    Network,
    /// It fails; the text says what to do about it.
    Failure(String),
}

/// A request of a guest and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeRequest {
    /// Its method.
    pub method: String,
    /// Where it went, or would have gone.
    pub url: String,
    /// The response's status, if there was one.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// The recorded answers for one attempt, and the requests that it made. A request passes every check that it
/// would pass on the way to the network, but for one: names are not looked up, so that a name which leads to a
/// private address is denied there and answered here. `localhost` and the names below it, which need no looking
/// up (RFC 6761), are 127.0.0.1.
#[derive(Debug)]
pub struct Playback {
    answers: Vec<Checked>,
    beyond: Beyond,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// How often each was chosen, by the place of the first of its kind.
    turns: BTreeMap<usize, usize>,
    kept: Vec<MadeRequest>,
    count: u64,
}

impl Playback {
    /// Answers with the same URL and method are played in their order, and the last one again and again. Of
    /// different ones that fit, the first counts.
    ///
    /// # Errors
    /// As [`RecordedAnswer::check`].
    pub fn new(answers: Vec<RecordedAnswer>, beyond: Beyond) -> Result<Self, String> {
        let answers = answers.into_iter().map(Checked::of).collect::<Result<_, _>>()?;
        Ok(Playback { answers, beyond, told: Mutex::default() })
    }

    /// The requests so far, in the order in which they were made; the first thousand.
    pub fn requests(&self) -> Vec<MadeRequest> {
        self.told().kept.clone()
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.told().count
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn choose(&self, method: &Method, url: &str) -> Option<&Checked> {
        let first = self.answers.iter().position(|answer| answer.fits(method, url))?;
        let kind = self.answers[first].kind();
        let same: Vec<&Checked> = self.answers.iter().filter(|answer| answer.kind() == kind).collect();
        let mut told = self.told();
        let turn = told.turns.entry(first).or_default();
        let chosen = same.get(*turn).or(same.last()).copied();
        *turn += 1;
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::super::target;
    use super::*;
    use http::Request;
    use std::sync::Arc;

    fn answer(url: &str, method: Option<&str>, body: &str) -> RecordedAnswer {
        let (url, method, body) = (url.to_owned(), method.map(str::to_owned), body.into());
        RecordedAnswer { url, method, status: 200, body, ..RecordedAnswer::default() }
    }

    fn played(playback: &Arc<Playback>, method: &str, url: &str) -> Option<String> {
        let request = Request::builder().method(method).uri(url).body(()).unwrap();
        let origin = target::origin(request.uri()).unwrap();
        let played = Asked::of(playback, &request, Some(&origin)).answer().ok().flatten();
        played.map(|played| String::from_utf8(played.body.to_vec()).unwrap())
    }

    #[test]
    fn the_first_that_fits_answers_in_its_turn_and_the_last_again_and_again() {
        let answers = vec![
            answer("https://API.example.com:443/a", Some("post"), "posted"),
            answer("https://api.example.com/a", None, "one"),
            answer("https://api.example.com/*", None, "beginning"),
            answer("https://api.example.com/a", None, "two"),
            answer("http://other.test", None, "root"),
        ];
        let advice = Beyond::Failure("record one".into());
        let playback = Arc::new(Playback::new(answers, advice).unwrap());
        for (method, url, expected) in [
            ("POST", "https://api.example.com/a", Some("posted")),
            ("GET", "https://api.example.com/a", Some("one")),
            ("GET", "https://api.example.com/a?b=c", Some("beginning")),
            ("GET", "https://api.example.com:443/a", Some("two")),
            ("GET", "https://Api.Example.com/a", Some("two")),
            ("HEAD", "https://api.example.com/a", Some("")),
            ("GET", "http://other.test/", Some("root")),
            ("GET", "http://other.test/x", None),
            ("GET", "http://api.example.com/a", None),
            ("GET", "https://api.example.com:8443/a", None),
        ] {
            assert_eq!(played(&playback, method, url).as_deref(), expected, "{method} {url}");
        }
        assert_eq!((playback.count(), playback.requests().len()), (10, 10));
        let requests = playback.requests();
        assert_eq!(
            (requests[4].method.as_str(), requests[4].url.as_str()),
            ("GET", "https://api.example.com/a")
        );
    }

    #[test]
    fn what_could_never_be_played_is_refused_by_name() {
        let plain = || answer("https://a.test/", None, "");
        let headers = |name: &str, value: &str| RecordedAnswer {
            headers: [(name.to_owned(), value.to_owned())].into(),
            ..plain()
        };
        for (answer, expected) in [
            (answer("api.example.com/x", None, ""), "neither https:// nor http://"),
            (answer("*", None, ""), "neither https:// nor http://"),
            (answer("https://*", None, ""), "no URL"),
            (answer("ftp://a.test/", None, ""), "the scheme is http or https"),
            (answer("https://user@a.test/", None, ""), "the host is no name"),
            (answer("https://a.test/", Some("G T"), ""), "the method is none"),
            (RecordedAnswer { status: 101, ..plain() }, "the status 101 is not between"),
            (RecordedAnswer { status: 600, ..plain() }, "the status 600 is not between"),
            (headers("a b", "c"), "the header field \"a b\""),
            (headers("a", "b\nc"), "the header field \"a\""),
        ] {
            let url = answer.url.clone();
            let error = Playback::new(vec![answer], Beyond::Network).unwrap_err();
            assert!(error.contains(expected) && error.contains(&url), "{error}");
        }
    }
}
