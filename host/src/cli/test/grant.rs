use flowmonkey_jobs::sandbox::{Grant, Grants, OriginPattern};
use std::str::FromStr;

/// What a trial has beside what the handler's manifest asks for: `context`, `http=api.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Granted {
    Context,
    Idempotency,
    Queue(String),
    Http(OriginPattern),
    Config(String),
}

/// What a trial takes away of it: all of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Denied(Grant);

const KINDS: [Grant; 5] = [Grant::Context, Grant::Queue, Grant::Idempotency, Grant::Http, Grant::Config];

fn kind(name: &str) -> Result<Grant, String> {
    let known = || KINDS.map(Grant::name).join(", ");
    KINDS
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| format!("there is no grant {name:?}; there are {}", known()))
}

impl FromStr for Granted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let value = value.filter(|value| !value.is_empty());
        match (kind(name)?, value) {
            (Grant::Context, None) => Ok(Granted::Context),
            (Grant::Idempotency, None) => Ok(Granted::Idempotency),
            (Grant::Queue, Some(handler)) => Ok(Granted::Queue(handler.to_owned())),
            (Grant::Http, Some(origin)) => {
                Ok(Granted::Http(origin.parse().map_err(|error| format!("{error}"))?))
            }
            (Grant::Config, Some(key)) => Ok(Granted::Config(key.to_owned())),
            (_, Some(_)) => Err(format!("the grant `{name}` takes no value: write {name}")),
            (Grant::Http, None) => Err("write http=HOST, such as http=api.example.com".into()),
            (Grant::Queue, None) => Err("write queue=HANDLER".into()),
            (_, None) => Err(format!("write {name}=KEY")),
        }
    }
}

impl FromStr for Denied {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        kind(text).map(Denied)
    }
}

impl TryFrom<String> for Granted {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for Denied {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// What is left when some is added, and some of that taken away.
pub(super) fn change(mut grants: Grants, granted: &[Granted], denied: &[Denied]) -> Grants {
    for one in granted {
        match one {
            Granted::Context => grants.context = true,
            Granted::Idempotency => grants.idempotency = true,
            Granted::Queue(handler) => drop(grants.queue.insert(handler.clone())),
            Granted::Http(pattern) => grants.http.push(pattern.clone()),
            Granted::Config(key) => drop(grants.config.insert(key.clone())),
        }
    }
    for Denied(kind) in denied {
        match kind {
            Grant::Context => grants.context = false,
            Grant::Idempotency => grants.idempotency = false,
            Grant::Queue => grants.queue.clear(),
            Grant::Http => grants.http.clear(),
            Grant::Config => grants.config.clear(),
        }
    }
    grants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_is_added_and_what_is_denied_is_gone() {
        let granted: Vec<Granted> = ["context", "idempotency", "queue=a", "http=a.test", "config=k"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let all = change(Grants::default(), &granted, &[]);
        assert!(all.context && all.idempotency);
        assert_eq!((all.queue.len(), all.http.len(), all.config.len()), (1, 1, 1));
        for kind in KINDS {
            let left = change(all.clone(), &[], &[Denied(kind)]).written();
            assert!(left.len() == 4 && left.iter().all(|text| !text.starts_with(kind.name())), "{left:?}");
        }
    }

    #[test]
    fn a_slip_is_told_what_there_is() {
        for (text, expected) in [
            ("sockets", "there are context, queue, idempotency, http, config"),
            ("http", "http=HOST"),
            ("http=", "http=HOST"),
            ("queue", "queue=HANDLER"),
            ("config", "config=KEY"),
            ("context=true", "takes no value"),
            ("http=ftp://x", "no host to allow"),
        ] {
            let error = text.parse::<Granted>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!("http=api.example.com".parse::<Denied>().is_err());
    }
}
