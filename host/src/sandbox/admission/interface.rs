//! What the host offers to components, by name, and who decides whether a handler gets it.

use super::CONTRACT_VERSION;

/// A line of `[grants]` in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// The context of the job's execution.
    Context,
    /// Jobs for other handlers.
    Queue,
    /// What the handler has done already.
    Idempotency,
    /// Requests to other machines.
    Http,
    /// Settings and secrets.
    Config,
}

impl Grant {
    /// Its key in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Grant::Context => "context",
            Grant::Queue => "queue",
            Grant::Idempotency => "idempotency",
            Grant::Http => "http",
            Grant::Config => "config",
        }
    }

    /// What its key says when a handler does without.
    pub fn nothing(self) -> &'static str {
        match self {
            Grant::Context | Grant::Idempotency => "false",
            Grant::Queue | Grant::Http | Grant::Config => "[]",
        }
    }

    /// A line for `handler.toml`, to be adapted.
    pub fn example(self) -> &'static str {
        match self {
            Grant::Context => "context = true",
            Grant::Queue => "queue = [\"digest-send\"]",
            Grant::Idempotency => "idempotency = true",
            Grant::Http => "http = [\"api.example.com\"]",
            Grant::Config => "config = [\"api-key\"]",
        }
    }
}

/// Where an import comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// The contract, for every handler.
    Contract,
    /// WASI without folders, environment and sockets, for every handler.
    Wasi,
    /// The host, once it is granted; until then its functions answer that it is not.
    Granted(Grant),
    /// Nobody: a component that imports it is refused.
    Nobody,
}

/// Interfaces of one package that come from one place, in one version.
pub(super) struct Offer {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    pub(super) interfaces: &'static [&'static str],
    pub(super) supply: Supply,
}

/// Of WASI, what `wasmtime_wasi::p2` and `wasmtime_wasi_http::p2` have.
pub(super) const OFFERS: &[Offer] = &[
    ours(&["types", "job", "control", "checkpoint", "log"], Supply::Contract),
    ours(&["context"], Supply::Granted(Grant::Context)),
    ours(&["queue"], Supply::Granted(Grant::Queue)),
    ours(&["idempotency"], Supply::Granted(Grant::Idempotency)),
    wasi(
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    wasi("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    wasi("wasi:filesystem", &["types", "preopens"]),
    wasi("wasi:io", &["error", "poll", "streams"]),
    wasi("wasi:random", &["random", "insecure", "insecure-seed"]),
    wasi(
        "wasi:sockets",
        &[
            "network",
            "instance-network",
            "ip-name-lookup",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
    Offer { supply: Supply::Granted(Grant::Http), ..wasi("wasi:http", &["types", "outgoing-handler"]) },
    Offer {
        package: "wasi:config",
        version: "0.2.0-rc.1",
        interfaces: &["store"],
        supply: Supply::Granted(Grant::Config),
    },
];

const fn ours(interfaces: &'static [&'static str], supply: Supply) -> Offer {
    Offer { package: "flowmonkey:jobs", version: CONTRACT_VERSION, interfaces, supply }
}

const fn wasi(package: &'static str, interfaces: &'static [&'static str]) -> Offer {
    Offer { package, version: "0.2", interfaces, supply: Supply::Wasi }
}

/// `package:name/interface@version`, in parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) package: &'a str,
    pub(super) interface: &'a str,
    pub(super) version: &'a str,
}

impl<'a> Name<'a> {
    pub(super) fn parse(name: &'a str) -> Self {
        let (path, version) = name.split_once('@').unwrap_or((name, ""));
        let (package, interface) = path.split_once('/').unwrap_or((path, ""));
        Name { package, interface, version }
    }

    pub(super) fn is(&self, package: &str, interface: &str) -> bool {
        self.package == package && self.interface == interface
    }

    /// Below 1.0 a change of the second number breaks, as in semver and in wasmtime's linker. What comes
    /// before a release fits nothing but itself.
    pub(super) fn fits(&self, offered: &str) -> bool {
        let track = |version: &str| {
            let mut numbers = version.split('.').map(str::to_owned);
            (numbers.next(), numbers.next())
        };
        if self.version.contains('-') || offered.contains('-') {
            return self.version == offered;
        }
        track(self.version) == track(offered)
    }

    /// The offer for this interface, in whatever version.
    pub(super) fn offer(&self) -> Option<&'static Offer> {
        OFFERS
            .iter()
            .find(|offer| self.package == offer.package && offer.interfaces.contains(&self.interface))
    }
}

/// Where an import comes from, by its name as it is in the component.
pub(super) fn supply(import: &str) -> Supply {
    let name = Name::parse(import);
    match name.offer() {
        Some(offer) if name.fits(offer.version) => offer.supply,
        _ => Supply::Nobody,
    }
}

/// The offered interface whose name differs from this path, which has no version, by a slip of the hand.
pub(super) fn meant(path: &str) -> Option<String> {
    /// No name that is offered is longer, give or take a slip.
    const PATH_BYTES_MAX: usize = 64;
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let handler = ["handler", "metadata"].map(|one| format!("flowmonkey:jobs/{one}"));
    let offered = OFFERS.iter().flat_map(|offer| {
        offer.interfaces.iter().map(move |interface| format!("{}/{interface}", offer.package))
    });
    let distances = offered.chain(handler).map(|name| (distance(path, &name), name));
    distances.min().filter(|(slips, _)| (1..=2).contains(slips)).map(|(_, name)| name)
}

/// How many characters must be changed, put in or taken out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_come_from_where_the_table_says() {
        let table = [
            ("flowmonkey:jobs/log@0.1.0", Supply::Contract),
            ("flowmonkey:jobs/log@0.1.9", Supply::Contract),
            ("flowmonkey:jobs/log@0.2.0", Supply::Nobody),
            ("flowmonkey:jobs/log", Supply::Nobody),
            ("flowmonkey:jobs/queue@0.1.0", Supply::Granted(Grant::Queue)),
            ("wasi:cli/stderr@0.2.3", Supply::Wasi),
            ("wasi:cli/stderr@0.3.0", Supply::Nobody),
            ("wasi:cli/stderr@0.2.0-rc-2023-11-10", Supply::Nobody),
            ("wasi:cli/run@0.2.0", Supply::Nobody),
            ("wasi:http/outgoing-handler@0.2.6", Supply::Granted(Grant::Http)),
            ("wasi:config/store@0.2.0-rc.1", Supply::Granted(Grant::Config)),
            ("wasi:config/store@0.2.0", Supply::Nobody),
            ("env", Supply::Nobody),
            ("", Supply::Nobody),
        ];
        for (import, expected) in table {
            assert_eq!(supply(import), expected, "{import}");
        }
    }

    #[test]
    fn slips_of_the_hand_are_recognised() {
        let table = [
            ("flowmonkey:jobs/logs", Some("flowmonkey:jobs/log")),
            ("flowmonkey:job/log", Some("flowmonkey:jobs/log")),
            ("flowmonkey:jobs/handlers", Some("flowmonkey:jobs/handler")),
            ("flowmonkey:jobs/chekpoint", Some("flowmonkey:jobs/checkpoint")),
            ("wasi:clock/wall-clock", Some("wasi:clocks/wall-clock")),
            ("flowmonkey:jobs/log", None),
            ("flowmonkey:jobs/mail", None),
            ("acme:db/sql", None),
            ("", None),
        ];
        for (path, expected) in table {
            assert_eq!(meant(path).as_deref(), expected, "{path}");
        }
        assert_eq!(meant(&"a".repeat(1 << 20)), None);
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
