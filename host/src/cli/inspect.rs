//! `flowmonkey inspect`: what a file is, and whether it is a handler, without compiling or running it.

use super::table::{pairs, printable, short};
use super::{BadInput, Exit};
use bytesize::ByteSize;
use flowmonkey_jobs::catalog::digest;
use flowmonkey_jobs::sandbox::{Format, Inspection, Limits, Names, Size, Sizes, Supply, inspect};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const NAME_CHARS_MAX: usize = 100;
/// So many names of a kind are shown to people; `--json` has more.
const SHOWN_MAX: usize = 40;
const PAGE_BYTES: u64 = 64 * 1024;
/// From here on, what debuggers need is worth a word.
const DEBUG_BYTES_LARGE: usize = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct InspectArgs {
    /// The file: a handler's .wasm, or what should be one
    file: PathBuf,
}

/// What is told of a file.
struct Report {
    file: String,
    inspection: Inspection,
    /// Of the whole file; none where only its beginning was read.
    digest: Option<String>,
    /// Why it is no handler.
    problems: Vec<String>,
}

/// The groups in which imports are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Contract,
    Wasi,
    Granted,
    Missing,
}

impl Kind {
    fn of(supply: &Supply) -> Self {
        match supply {
            Supply::Contract => Kind::Contract,
            Supply::Wasi => Kind::Wasi,
            Supply::Granted(_) => Kind::Granted,
            Supply::Nobody => Kind::Missing,
        }
    }
}

pub(super) fn run(args: &InspectArgs, json: bool) -> anyhow::Result<Exit> {
    let report = report(&args.file)?;
    if json {
        say!("{:#}", report.json());
    } else {
        say!("{}", report.text());
    }
    Ok(if report.problems.is_empty() { Exit::Done } else { Exit::Failed })
}

fn report(path: &Path) -> anyhow::Result<Report> {
    let limits = Limits::default();
    let file = path.display().to_string();
    let unreadable = |why: &dyn std::fmt::Display| BadInput(format!("cannot read {file}: {why}"));
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        // A pipe or a device might never end.
        return Err(unreadable(&"it is no regular file").into());
    }
    let opened = File::open(path).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    let most = limits.component_bytes_max as u64 + 1;
    opened.take(most).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    let whole = (bytes.len() as u64) < most;
    let mut inspection = inspect(&bytes);
    let verdict = inspection.verdict(&bytes, &limits);
    if !whole {
        inspection.bytes = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    }
    let problems = verdict.err().map(|error| error.to_string()).unwrap_or_default();
    let problems = problems.lines().map(str::to_owned).collect();
    let digest = whole.then(|| digest(&bytes));
    Ok(Report { file, inspection, digest, problems })
}

impl Report {
    fn supplied(&self, wanted: Kind) -> Vec<(&str, Supply)> {
        self.inspection.supplies().filter(|(_, supply)| Kind::of(supply) == wanted).collect()
    }

    fn json(&self) -> Value {
        let found = &self.inspection;
        let names =
            |wanted| -> Vec<&str> { self.supplied(wanted).into_iter().map(|(name, _)| name).collect() };
        let granted = self.supplied(Kind::Granted);
        let granted = granted.into_iter().filter_map(|(import, supply)| match supply {
            Supply::Granted(grant) => {
                Some(json!({"import": import, "grant": grant.name(), "manifest": grant.example()}))
            }
            _ => None,
        });
        let producers = found
            .producers
            .iter()
            .map(|one| json!({"role": one.role, "name": one.name, "version": one.version}));
        let sizes = |sizes: &Sizes| -> Vec<Value> {
            let each = |size: &Size| json!({"initial": size.initial, "maximum": size.maximum});
            sizes.kept.iter().map(each).collect()
        };
        json!({
            "file": self.file,
            "handler": self.problems.is_empty(),
            "problems": self.problems,
            "format": found.format.name(),
            "bytes": found.bytes,
            "sha256": self.digest,
            "damage": found.damage,
            "name": found.name,
            "describes_itself": found.describes_itself(),
            "exports": found.exports.kept,
            "exports_more": found.exports.more,
            "imports": {
                "contract": names(Kind::Contract),
                "wasi": names(Kind::Wasi),
                "granted": granted.collect::<Vec<_>>(),
                "missing": names(Kind::Missing),
            },
            "imports_more": found.imports.more,
            "producers": producers.collect::<Vec<_>>(),
            "core_modules": found.modules,
            "nested_components": found.components,
            "wiring_bytes": found.wiring_bytes,
            "wiring_copies": found.wiring_copies,
            "functions": found.functions,
            "function_bytes_max": found.function_bytes_max,
            "memories": sizes(&found.memories),
            "memories_more": found.memories.more,
            "tables": sizes(&found.tables),
            "tables_more": found.tables.more,
            "custom_bytes": found.custom.all,
            "debug_bytes": found.custom.debug,
            "names_bytes": found.custom.names,
        })
    }

    fn text(&self) -> String {
        let mut text = pairs(&self.facts());
        names(&mut text, "exports", &self.inspection.exports);
        self.imports(&mut text);
        if let [problem] = self.problems.as_slice() {
            let _ = write!(text, "\n\nNo handler that this host can run: {}", printable(problem));
        } else if self.problems.is_empty() {
            text.push_str("\n\nA handler that this host can run.");
        } else {
            text.push_str("\n\nNo handler that this host can run:");
            self.problems.iter().for_each(|problem| {
                let _ = write!(text, "\n  - {}", printable(problem));
            });
        }
        text
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let found = &self.inspection;
        let mut facts = vec![
            ("file", short(&self.file, 2 * NAME_CHARS_MAX)),
            ("format", found.format.to_string()),
            ("size", size(found.bytes)),
        ];
        let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
        add("sha-256", self.digest.clone());
        add("name", found.name.as_deref().map(name));
        for (title, role) in [("language", "language"), ("sdk", "sdk"), ("tools", "processed-by")] {
            add(title, made_with(found, role));
        }
        if found.modules > 0 {
            let largest = match found.functions {
                0 => String::new(),
                _ => format!(", the largest of {}", size(found.function_bytes_max)),
            };
            let (modules, functions) =
                (counted(found.modules, "core module"), counted(found.functions, "function"));
            add("code", Some(format!("{modules}, {functions}{largest}")));
            add("memories", sizes(&found.memories, size_of_pages));
            add("tables", sizes(&found.tables, |elements| counted(elements, "element")));
            let custom = found.custom;
            let debug = (custom.debug > DEBUG_BYTES_LARGE).then_some(
                "; `wasm-tools strip`, or `strip = \"debuginfo\"` in Cargo's profile, leaves the latter out",
            );
            let shown = format!(
                "{}, of which names {}, debug info {}{}",
                size(custom.all),
                size(custom.names),
                size(custom.debug),
                debug.unwrap_or_default()
            );
            add("custom sections", (custom.all > 0).then_some(shown));
        }
        if found.format == Format::Component {
            add("describes itself", Some(if found.describes_itself() { "yes" } else { "no" }.into()));
        }
        facts
    }

    fn imports(&self, text: &mut String) {
        if self.inspection.format != Format::Component {
            return names(text, "imports from", &self.inspection.imports);
        }
        let granted = "imports that need a grant: in handler.toml, below [grants]";
        let kinds = [
            ("imports of the contract", Kind::Contract),
            ("imports of WASI, harmless here", Kind::Wasi),
            (granted, Kind::Granted),
            ("imports that this host does not have", Kind::Missing),
        ];
        for (title, wanted) in kinds {
            let supplied = self.supplied(wanted);
            let line = |(import, supply): &(&str, Supply)| match supply {
                Supply::Granted(grant) => format!("{:<40}  {}", name(import), grant.example()),
                _ => name(import),
            };
            list(text, title, supplied.iter().map(line), 0);
        }
        if self.inspection.imports.more > 0 {
            let _ = write!(text, "\n\n and {} more imports", self.inspection.imports.more);
        }
    }
}

fn names(text: &mut String, title: &str, names: &Names) {
    list(text, title, names.kept.iter().map(|one| name(one)), names.more);
}

fn list(text: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>, more: u64) {
    let more = lines.len().saturating_sub(SHOWN_MAX) as u64 + more;
    if lines.len() > 0 {
        let _ = write!(text, "\n\n {title}");
    }
    for line in lines.take(SHOWN_MAX) {
        let _ = write!(text, "\n   {line}");
    }
    if more > 0 {
        let _ = write!(text, "\n   and {more} more");
    }
}

/// Languages or tools with their versions, in one line.
fn made_with(found: &Inspection, role: &str) -> Option<String> {
    let of_role = found.producers.iter().filter(|one| one.role == role);
    let shown = of_role.map(|one| name(&format!("{} {}", one.name, one.version)));
    let all: Vec<String> = shown.collect();
    (!all.is_empty()).then(|| short(&all.join(", "), 3 * NAME_CHARS_MAX))
}

fn sizes(sizes: &Sizes, show: impl Fn(u64) -> String) -> Option<String> {
    let each = |size: &Size| match size.maximum {
        Some(maximum) if maximum == size.initial => show(size.initial),
        Some(maximum) => format!("{} to {}", show(size.initial), show(maximum)),
        None => format!("{} and up", show(size.initial)),
    };
    let mut shown: Vec<String> = sizes.kept.iter().take(4).map(each).collect();
    let more = (sizes.kept.len() - shown.len()) as u64 + sizes.more;
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    (!shown.is_empty()).then(|| shown.join(", "))
}

fn size_of_pages(pages: u64) -> String {
    format!("{} ({})", counted(pages, "page"), ByteSize(pages.saturating_mul(PAGE_BYTES)).display().iec())
}

fn size(bytes: usize) -> String {
    ByteSize(bytes as u64).display().iec().to_string()
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A name from the file, on one line.
fn name(text: &str) -> String {
    short(text, NAME_CHARS_MAX)
}
