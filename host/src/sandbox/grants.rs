//! What a handler may reach beyond its own job. A component *asks*, in its manifest; the operator *allows*;
//! what both say is what it gets.

mod origin;

pub(super) use origin::is_name;
pub use origin::{InvalidOrigin, Origin, OriginPattern, Scheme};

use ipnet::IpNet;
use std::collections::BTreeSet;

/// What a handler is granted, or asks for. Nothing, until somebody says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grants {
    /// The context of the workflow execution that the job belongs to.
    pub context: bool,
    /// Memory for "has this been done already?", shared by all jobs of the handler.
    pub idempotency: bool,
    /// The handlers for which it may create jobs.
    pub queue: BTreeSet<String>,
    /// Where it may send HTTP requests.
    pub http: Vec<OriginPattern>,
    /// The configuration keys it may read.
    pub config: BTreeSet<String>,
    /// Addresses that its requests may reach although they are not public. Never asked for: the operator
    /// names them.
    #[serde(skip)]
    pub private_addresses: Vec<IpNet>,
}

impl Grants {
    /// Each as it would be written in a manifest, such as `http = "https://api.example.com"`.
    pub fn written(&self) -> Vec<String> {
        let switches = [("context", self.context), ("idempotency", self.idempotency)];
        let switches =
            switches.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| format!("{name} = true"));
        let named = |kind: &'static str, name: &dyn std::fmt::Display| format!("{kind} = \"{name}\"");
        let mut written: Vec<String> = switches.collect();
        written.extend(self.queue.iter().map(|name| named("queue", name)));
        written.extend(self.http.iter().map(|pattern| named("http", pattern)));
        written.extend(self.config.iter().map(|key| named("config", key)));
        written
    }
}

/// What an operator allows, to all handlers or to one.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Allowance {
    /// See [`Grants::context`].
    pub context: bool,
    /// See [`Grants::idempotency`].
    pub idempotency: bool,
    /// Names of handlers, or beginnings of names that end in `*`.
    pub queue: Vec<String>,
    /// See [`Grants::http`]; `*` is any host.
    pub http: Vec<OriginPattern>,
    /// Networks such as `10.1.0.0/16`, or single addresses, that requests may reach although they are
    /// loopback, private, link-local or otherwise not public.
    #[serde(deserialize_with = "networks")]
    pub private_addresses: Vec<IpNet>,
}

/// What a handler gets of what it asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meeting {
    /// What it gets.
    pub granted: Grants,
    /// What it asked for and does not get, as it would be written in a manifest: `http = "api.example.com"`.
    pub refused: Vec<String>,
}

impl Allowance {
    /// Allows whatever is asked, the machine's own addresses included: for a developer's own handlers.
    pub fn everything() -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"];
        Allowance {
            context: true,
            idempotency: true,
            queue: vec!["*".into()],
            http: OriginPattern::anywhere(),
            private_addresses: loopback.iter().filter_map(|network| network.parse().ok()).collect(),
        }
    }

    /// Both: what either allows.
    pub fn and(mut self, other: &Allowance) -> Self {
        self.context |= other.context;
        self.idempotency |= other.idempotency;
        self.queue.extend(other.queue.iter().cloned());
        self.http.extend(other.http.iter().cloned());
        self.private_addresses.extend(&other.private_addresses);
        self
    }

    /// What a handler gets that asks for this. `config_keys` are the keys the operator has set for it.
    pub fn meet(&self, asked: &Grants, config_keys: &BTreeSet<String>) -> Meeting {
        let mut refused = Vec::new();
        let mut switch = |name: &str, asked: bool, allowed: bool| {
            if asked && !allowed {
                refused.push(format!("{name} = true"));
            }
            asked && allowed
        };
        let context = switch("context", asked.context, self.context);
        let idempotency = switch("idempotency", asked.idempotency, self.idempotency);
        let mut names = |kind: &str, asked: &BTreeSet<String>, allowed: &dyn Fn(&str) -> bool| {
            let (granted, not): (BTreeSet<String>, BTreeSet<String>) =
                asked.iter().cloned().partition(|name| allowed(name));
            refused.extend(not.iter().map(|name| format!("{kind} = \"{name}\"")));
            granted
        };
        let queue =
            names("queue", &asked.queue, &|name| self.queue.iter().any(|pattern| matches(pattern, name)));
        let config = names("config", &asked.config, &|name| config_keys.contains(name));
        let mut http = Vec::new();
        for pattern in &asked.http {
            let met: Vec<OriginPattern> =
                self.http.iter().filter_map(|allowed| pattern.meet(allowed)).collect();
            if !met.contains(pattern) {
                refused.push(format!("http = \"{pattern}\""));
            }
            http.extend(met.into_iter().filter(|one| !http.contains(one)).collect::<Vec<_>>());
        }
        let private_addresses = self.private_addresses.clone();
        Meeting { granted: Grants { context, idempotency, queue, http, config, private_addresses }, refused }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

fn networks<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts: Vec<String> = serde::Deserialize::deserialize(deserializer)?;
    let network = |text: &String| {
        let address = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address));
        text.parse().or_else(|_| address()).map_err(|_| {
            serde::de::Error::custom(format!("{text:?} is no address and no network such as 10.1.0.0/16"))
        })
    };
    texts.iter().map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(toml: &str) -> Grants {
        toml::from_str(toml).unwrap()
    }

    fn allowed(toml: &str) -> Allowance {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn a_handler_gets_what_it_asks_and_the_operator_allows() {
        let asked = asked(
            "context = true\nidempotency = true\nqueue = ['a', 'digest-send']\nconfig = ['key', 'other']\n\
             http = ['api.example.com', 'evil.example']",
        );
        let allowed = allowed("context = true\nqueue = ['digest-*']\nhttp = ['*.example.com']");
        let meeting = allowed.meet(&asked, &["key".to_owned(), "unasked".into()].into());
        let granted = &meeting.granted;
        assert!(granted.context && !granted.idempotency);
        assert_eq!(granted.queue, ["digest-send".to_owned()].into());
        assert_eq!(granted.config, ["key".to_owned()].into());
        assert_eq!(granted.http, vec!["api.example.com".parse().unwrap()]);
        let refused =
            ["idempotency = true", "queue = \"a\"", "config = \"other\"", "http = \"https://evil.example\""];
        assert_eq!(meeting.refused, refused);
    }

    #[test]
    fn what_is_not_asked_is_not_granted() {
        let meeting = Allowance::everything().meet(&Grants::default(), &BTreeSet::new());
        let private_addresses = Allowance::everything().private_addresses;
        assert_eq!(meeting.granted, Grants { private_addresses, ..Grants::default() });
        assert!(meeting.refused.is_empty());
    }

    #[test]
    fn a_wider_question_gets_the_narrower_answer_and_is_told() {
        let meeting = allowed("http = ['api.example.com', 'x.test']")
            .meet(&asked("http = ['*.example.com']"), &BTreeSet::new());
        assert_eq!(meeting.granted.http, vec!["api.example.com".parse().unwrap()]);
        assert_eq!(meeting.refused, ["http = \"https://*.example.com\""]);
    }

    #[test]
    fn nobody_asks_for_private_addresses_and_unknown_names_are_errors() {
        assert!(toml::from_str::<Grants>("private-addresses = ['10.0.0.1']").is_err());
        assert!(toml::from_str::<Grants>("sockets = true").is_err());
        let allowed = allowed("private-addresses = ['10.0.0.1', 'fd00::/8']");
        assert_eq!(allowed.private_addresses.len(), 2);
        let error = toml::from_str::<Allowance>("private-addresses = ['ten']").unwrap_err().to_string();
        assert!(error.contains("is no address"), "{error}");
    }
}
