use crate::tree;
use flowmonkey_jobs::job::ErrorCode;

fn read(path: &str) -> String {
    std::fs::read_to_string(tree::root().join(path)).unwrap()
}

#[test]
fn every_error_code_is_documented() {
    let text = read("host/ARCHITECTURE.md");
    for code in ErrorCode::ALL {
        assert!(
            text.contains(&format!("`{code}`")),
            "host/ARCHITECTURE.md does not say when `{code}` arises"
        );
    }
}

#[test]
fn every_command_is_in_the_readme() {
    let text = read("README.md");
    let source = read("host/src/cli.rs");
    let (_, commands) = source.split_once("enum Command {").unwrap();
    let (commands, _) = commands.split_once("\n}").unwrap();
    let variants = commands.lines().filter_map(|line| {
        let line = line.strip_prefix("    ")?;
        line.starts_with(char::is_uppercase)
            .then(|| line.split(['(', ',', ' ']).next().unwrap().to_lowercase())
    });
    let variants: Vec<String> = variants.collect();
    assert!(variants.len() >= 5, "{variants:?}");
    for command in variants {
        assert!(
            text.contains(&format!("flowmonkey {command}")),
            "README.md does not mention `flowmonkey {command}`"
        );
    }
}

#[test]
fn every_limit_is_in_the_readme() {
    let text = read("README.md");
    let source = read("host/src/catalog/limits.rs");
    let (_, fields) = source.split_once("pub struct WrittenLimits {").unwrap();
    let (fields, _) = fields.split_once("\n}").unwrap();
    let keys = fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next());
    let keys: Vec<String> = keys.map(|key| key.replace('_', "-")).collect();
    assert!(keys.len() >= 30, "{keys:?}");
    for key in keys {
        assert!(text.contains(&format!("`{key}`")), "README.md does not mention the limit `{key}`");
    }
}

/// An invariant names its tests as `suite::name`, and each of those is there.
#[test]
fn every_invariant_names_tests_that_exist() {
    let text = read("host/ARCHITECTURE.md");
    let sources: String = tree::with_extension(&["rs"]).into_iter().map(|(_, text)| text).collect();
    let (_, invariants) = text.split_once("## Invariants").unwrap();
    let invariants: Vec<&str> = invariants
        .lines()
        .filter(|line| line.split('.').next().is_some_and(|number| number.parse::<u32>().is_ok()))
        .collect();
    assert!(invariants.len() >= 10, "only {} invariants are numbered", invariants.len());
    for invariant in invariants {
        let (_, tests) = invariant.rsplit_once('[').unwrap_or_else(|| panic!("no test guards: {invariant}"));
        let names =
            tests.split('`').filter(|part| part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':'));
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        assert!(!names.is_empty(), "no test guards: {invariant}");
        for name in names {
            let function = name.rsplit("::").next().unwrap();
            assert!(sources.contains(&format!("fn {function}")), "there is no test `{name}`: {invariant}");
        }
    }
}

/// SECURITY.md names a test for every attack, and each of those is there.
#[test]
fn every_attack_names_tests_that_exist() {
    let sources: String = tree::with_extension(&["rs"]).into_iter().map(|(_, text)| text).collect();
    let text = read("host/SECURITY.md");
    let (_, attacks) = text.split_once("## Attack by attack").unwrap();
    let (attacks, _) = attacks.split_once("## How soon").unwrap();
    let rows: Vec<&str> = attacks
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| attack"))
        .collect();
    assert!(rows.len() >= 30, "only {} attacks", rows.len());
    for row in rows {
        let tests: Vec<&str> = row.split('`').filter(|part| part.contains("::")).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for name in tests {
            let function = name.rsplit("::").next().unwrap();
            assert!(sources.contains(&format!("fn {function}")), "there is no test `{name}`: {row}");
        }
    }
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // Built from parts, so that this file does not hold what it looks for.
    let banned = [["/ro", "ot/"].concat(), ["/wo", "rk/"].concat(), ["artif", "actory"].concat()];
    // A longer path may end alike, such as `$folder/root/…`.
    let is_longer = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || c == '}');
    for (path, text) in tree::files() {
        for part in &banned {
            let mut found = text.match_indices(part.as_str());
            assert!(found.all(|(at, _)| is_longer(&text[..at])), "{path} holds {part}");
        }
    }
}
