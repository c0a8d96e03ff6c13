//! What to tell people about imports and exports that do not fit: what is wrong with which, and what mends it.

use super::CONTRACT_VERSION;
use super::interface::{Name, OFFERS, Offer, meant};
use crate::sandbox::inspection::Names;
use std::cmp::Ordering;

/// So many problems are told in full.
const PROBLEMS_MAX: usize = 10;
const EXPORTS_SHOWN_MAX: usize = 5;
const NAME_CHARS_MAX: usize = 100;
const OURS: &str = "flowmonkey:jobs";

/// All that is wrong, the worst first; a file with thousands of faults gets a short list and a count.
pub(super) fn of(imports: &Names, exports: &Names) -> Vec<String> {
    let mut problems: Vec<String> = export_problem(exports).into_iter().collect();
    let mut more = imports.more + exports.more;
    for problem in imports.kept.iter().filter_map(|name| import_problem(name)) {
        if problems.len() < PROBLEMS_MAX { problems.push(problem) } else { more += 1 }
    }
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    problems
}

/// What is wrong with an import, if anything.
pub(super) fn import_problem(import: &str) -> Option<String> {
    let name = Name::parse(import);
    let shown = shown(import);
    match name.offer() {
        Some(offer) if name.fits(offer.version) => None,
        Some(offer) => Some(format!("imports {shown}: {}", version_problem(&name, offer))),
        None => Some(format!("imports {shown}: {}", stranger(&name))),
    }
}

fn version_problem(name: &Name<'_>, offer: &Offer) -> String {
    let Offer { package, version: offered, .. } = offer;
    let interface = name.interface;
    if name.version.is_empty() {
        return format!("names no version, and {offered} is offered; import {package}/{interface}@{offered}");
    }
    let remedy = match (*package == OURS, age(name.version, offered)) {
        (true, _) => contract_remedy(name.version),
        (_, Some(Ordering::Greater)) => {
            "build it with a toolchain for WASI 0.2, such as Rust's wasm32-wasip2"
        }
        _ => "rebuild it with a toolchain of today for WASI 0.2",
    };
    format!("version {} is wanted, {offered} is offered; {remedy}", shown(name.version))
}

fn contract_remedy(version: &str) -> &'static str {
    match age(version, CONTRACT_VERSION) {
        Some(Ordering::Greater) => {
            "it was built for a newer host: update flowmonkey, or rebuild it against wit/ of this version"
        }
        Some(Ordering::Less) => "it was built for an older host: rebuild it against wit/ of this version",
        _ => "rebuild it against wit/ of this version",
    }
}

/// Compares as many numbers as both have; `None` where a version is none.
fn age(version: &str, offered: &str) -> Option<Ordering> {
    let numbers = |version: &str| {
        let release = version.split(['-', '+']).next().unwrap_or_default();
        release.split('.').map(|number| number.parse().ok()).collect::<Option<Vec<u64>>>()
    };
    let (version, offered) = (numbers(version)?, numbers(offered)?);
    let both = version.len().min(offered.len());
    Some(version[..both].cmp(&offered[..both]))
}

/// About an interface that is not offered in any version.
fn stranger(name: &Name<'_>) -> String {
    let path = format!("{}/{}", name.package, name.interface);
    let offered = || {
        let ours = OFFERS.iter().filter(|offer| offer.package == name.package);
        ours.flat_map(|offer| offer.interfaces).copied().collect::<Vec<_>>().join(", ")
    };
    if name.is(OURS, "handler") || name.is(OURS, "metadata") {
        return "a handler exports this; nobody offers it".into();
    }
    if let Some(meant) = meant(&path) {
        return format!("the host has no such interface; did you mean {meant}?");
    }
    match name.package {
        OURS => format!("the contract has no such interface; it has {}", offered()),
        "wasi:logging" => format!(
            "the host has no such interface; log with {OURS}/log@{CONTRACT_VERSION}, or write to stderr"
        ),
        "wasi_snapshot_preview1" | "wasi_unstable" => {
            "this is WASI before 0.2; build for wasm32-wasip2, or wrap it with the adapter of \
             `wasm-tools component new --adapt`"
                .into()
        }
        package if OFFERS.iter().any(|offer| offer.package == package) => {
            format!("of {package} the host has {} alone; remove its use", offered())
        }
        _ => "the host has no such interface, and no grant supplies it; remove its use, or link it into the \
              component"
            .into(),
    }
}

/// Why the exports make no handler.
fn export_problem(exports: &Names) -> Option<String> {
    let wanted = format!("{OURS}/handler@{CONTRACT_VERSION}");
    let names = || exports.kept.iter().map(|name| Name::parse(name));
    if let Some(found) = names().find(|name| name.is(OURS, "handler")) {
        let version = match found.version {
            "" => format!("{OURS}/handler without a version"),
            version => format!("{OURS}/handler@{}", shown(version)),
        };
        let remedy = contract_remedy(found.version);
        let problem = || format!("exports {version}, but this host wants {CONTRACT_VERSION}; {remedy}");
        return (!found.fits(CONTRACT_VERSION)).then(problem);
    }
    if exports.kept.is_empty() {
        return Some(format!(
            "exports nothing, but a handler exports {wanted}; build it against the world job-handler of wit/"
        ));
    }
    let is = |package, interface| names().any(|name| name.is(package, interface));
    let slip = names().find_map(|name| meant(&format!("{}/{}", name.package, name.interface)));
    let hint = match slip {
        _ if is("wasi:cli", "run") => {
            "It is a command, a program with a `main`: build a library against the world job-handler of wit/ \
             instead"
                .into()
        }
        _ if is("wasi:http", "incoming-handler") || is("wasi:http", "handler") => {
            "It is an HTTP server, which waits for requests: build a library against the world job-handler of \
             wit/ instead"
                .into()
        }
        Some(meant) if meant.starts_with(OURS) => format!("Did you mean {meant}?"),
        _ if is("run", "") => {
            format!("A `run` of its own is not enough: it belongs into the interface {OURS}/handler")
        }
        _ => "Build it against the world job-handler of wit/".into(),
    };
    Some(format!(
        "does not export {wanted}, which makes a component a handler; it exports {}. {hint}",
        listed(exports)
    ))
}

fn listed(names: &Names) -> String {
    let first: Vec<String> = names.kept.iter().take(EXPORTS_SHOWN_MAX).map(|name| shown(name)).collect();
    match (names.kept.len() - first.len()) as u64 + names.more {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// A name as it may stand in a message: short, and without what would move a cursor or turn text around.
fn shown(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars().take(NAME_CHARS_MAX) {
        match c {
            '"' | '\'' | '\\' => text.push(c),
            _ => text.extend(c.escape_debug()),
        }
    }
    if name.chars().nth(NAME_CHARS_MAX).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLER: &str = "flowmonkey:jobs/handler@0.1.0";

    fn problems(imports: &[&str], exports: &[&str]) -> String {
        let names =
            |names: &[&str]| Names { kept: names.iter().map(|name| (*name).into()).collect(), more: 0 };
        of(&names(imports), &names(exports)).join("\n")
    }

    #[test]
    fn a_handler_with_any_subset_of_imports_passes() {
        assert_eq!(problems(&[], &[HANDLER]), "");
        let imports = [
            "flowmonkey:jobs/log@0.1.0",
            "flowmonkey:jobs/queue@0.1.7",
            "wasi:cli/stderr@0.2.3",
            "wasi:io/poll@0.2.0",
        ];
        assert_eq!(problems(&imports, &[HANDLER, "flowmonkey:jobs/metadata@0.1.0"]), "");
    }

    #[test]
    fn each_import_that_does_not_fit_is_named_with_its_remedy() {
        let table: &[(&str, &[&str])] = &[
            ("flowmonkey:jobs/log@0.2.0", &["0.2.0 is wanted", "0.1.0 is offered", "newer host", "update"]),
            ("flowmonkey:jobs/log@0.0.9", &["0.0.9 is wanted", "older host", "rebuild"]),
            ("flowmonkey:jobs/log@1.x", &["1.x is wanted", "rebuild it against wit/"]),
            ("flowmonkey:jobs/log", &["names no version", "import flowmonkey:jobs/log@0.1.0"]),
            ("flowmonkey:jobs/mail@0.1.0", &["no such interface", "checkpoint", "idempotency"]),
            ("flowmonkey:jobs/logs@0.1.0", &["did you mean flowmonkey:jobs/log?"]),
            ("flowmonkey:jobs/handler@0.1.0", &["a handler exports this"]),
            ("wasi:cli/stdout@0.3.0", &["0.3.0 is wanted", "0.2 is offered", "wasm32-wasip2"]),
            ("wasi:cli/stdout@0.2.0-rc-2023-11-10", &["0.2.0-rc-2023-11-10 is wanted", "toolchain of today"]),
            ("wasi:cli/stdout", &["names no version", "wasi:cli/stdout@0.2"]),
            ("wasi:cli/run@0.2.0", &["of wasi:cli the host has environment, exit"]),
            ("wasi:http/outgoing-handler@0.3.0", &["0.3.0 is wanted"]),
            (
                "wasi:http/incoming-handler@0.2.0",
                &["of wasi:http the host has types, outgoing-handler alone"],
            ),
            ("wasi:config/store@0.2.0-draft", &["0.2.0-draft is wanted", "0.2.0-rc.1 is offered"]),
            ("wasi:logging/logging", &["flowmonkey:jobs/log@0.1.0", "stderr"]),
            ("wasi_snapshot_preview1", &["WASI before 0.2", "wasm32-wasip2"]),
            ("acme:db/sql@1.0.0", &["imports acme:db/sql@1.0.0", "no such interface", "link it into"]),
            ("env", &["imports env", "no such interface"]),
            ("a\u{1b}[2J\u{202e}b", &["imports a\\u{1b}[2J\\u{202e}b:"]),
        ];
        for (import, expected) in table {
            let message = problems(&[import], &[HANDLER]);
            for part in *expected {
                assert!(message.contains(part), "{import:?}: {part:?} is not in {message:?}");
            }
        }
    }

    #[test]
    fn exports_that_make_no_handler_are_told_what_they_make() {
        let table: &[(&[&str], &[&str])] = &[
            (&[], &["exports nothing", HANDLER, "world job-handler"]),
            (&["wasi:cli/run@0.2.0"], &["does not export", "wasi:cli/run@0.2.0", "a command"]),
            (&["wasi:http/incoming-handler@0.2.0"], &["an HTTP server", "job-handler"]),
            (&["wasi:http/handler@0.3.0"], &["an HTTP server"]),
            (&["flowmonkey:jobs/handler@0.2.0"], &["0.2.0", "wants 0.1.0", "newer host"]),
            (&["flowmonkey:jobs/handler@0.0.1"], &["0.0.1", "wants 0.1.0", "older host"]),
            (&["flowmonkey:jobs/handler"], &["without a version", "wants 0.1.0"]),
            (&["flowmonkey:jobs/handlers@0.1.0"], &["Did you mean flowmonkey:jobs/handler?"]),
            (&["run"], &["A `run` of its own is not enough"]),
            (&["add", "subtract"], &["it exports add, subtract.", "world job-handler"]),
        ];
        for (exports, expected) in table {
            let message = problems(&[], exports);
            for part in *expected {
                assert!(message.contains(part), "{exports:?}: {part:?} is not in {message:?}");
            }
        }
    }

    #[test]
    fn thousands_of_long_problems_are_a_short_list_and_a_count() {
        let names: Vec<String> = (0..1000).map(|n| format!("{n}{}", "\u{1b}".repeat(4000))).collect();
        let names = Names { kept: names, more: 9000 };
        let problems = of(&names, &Names::default());
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        assert_eq!(problems.last().unwrap(), "and 9991 more");
        assert!(problems[0].contains("exports nothing"));
        assert!(problems.iter().all(|problem| problem.len() < 1000 && problem.contains(['…', 'n'])));
        let exported = of(&Names::default(), &names).join("\n");
        assert!(exported.contains("and 9995 more. "), "{exported}");
        assert!(exported.len() < 4000, "{}", exported.len());
    }
}
