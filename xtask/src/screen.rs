//! How the demo shows jobs: redrawn in place on a terminal, a line a change elsewhere.

use serde_json::Value;
use std::collections::HashMap;
use std::io::{IsTerminal, Write};

const BAR_CELLS: usize = 24;

/// One job as the demo names it, and what `jobs list --json` says of it.
pub(crate) struct Shown<'a> {
    pub(crate) title: &'a str,
    pub(crate) handler: &'a str,
    pub(crate) job: &'a Value,
}

#[derive(Default)]
pub(crate) struct Screen {
    drawn: usize,
    last: HashMap<String, String>,
}

impl Screen {
    pub(crate) fn draw(&mut self, jobs: &[Shown<'_>]) {
        let lines: Vec<String> = jobs.iter().map(line).collect();
        let mut out = std::io::stdout().lock();
        if std::io::stdout().is_terminal() {
            if self.drawn > 0 {
                let _ = write!(out, "\x1b[{}A", self.drawn);
            }
            for text in &lines {
                let _ = writeln!(out, "\x1b[2K{text}");
            }
            self.drawn = lines.len();
        } else {
            for (job, text) in jobs.iter().zip(lines) {
                if self.last.get(job.title) != Some(&text) {
                    let _ = writeln!(out, "{text}");
                    self.last.insert(job.title.to_owned(), text);
                }
            }
        }
        let _ = out.flush();
    }
}

fn line(shown: &Shown<'_>) -> String {
    let job = shown.job;
    let status = text(job, "status");
    let (attempts, max) = (number(job, "attempts"), number(job, "max_attempts"));
    let percent = job["progress"]["percent"].as_f64();
    let says = match status {
        "completed" | "failed" => String::new(),
        _ => job["error"]["code"].as_str().map(|code| format!("again after {code}")).unwrap_or_default(),
    };
    let bar = percent.map(|percent| {
        let full = (percent / 100.0 * BAR_CELLS as f64).round() as usize;
        format!("{}{} {percent:>3.0} %  ", "█".repeat(full), "░".repeat(BAR_CELLS.saturating_sub(full)))
    });
    let attempt = format!("attempt {attempts}/{max}");
    format!("  {:<28} {status:<10} {attempt:<12} {}{says}", shown.title, bar.unwrap_or_default())
        .trim_end()
        .to_owned()
}

/// The last picture: what each job came to and what it cost.
pub(crate) fn table(jobs: &[Shown<'_>]) -> String {
    let header = ["JOB", "HANDLER", "STATUS", "ATTEMPTS", "FUEL", "PEAK MEMORY", "TIME", "ERROR"];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(jobs.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut table = String::new();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let right = (3..=6).contains(&column);
            table += &if right { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
    table
}

/// Fuel and time over all attempts, the most memory of any.
fn row(shown: &Shown<'_>) -> [String; 8] {
    let job = shown.job;
    let entries = job["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    let usage = |name: &'static str| entries.iter().map(move |entry| number(&entry["usage"], name));
    let (fuel, wall_us): (u64, u64) = (usage("fuel").sum(), usage("wall_us").sum());
    let memory = usage("memory_bytes").max().unwrap_or(0);
    let error = match (job["error"]["code"].as_str(), job["error"]["message"].as_str()) {
        (Some(code), Some(message)) => format!("{code}: {}", message.lines().next().unwrap_or_default()),
        _ => String::new(),
    };
    [
        text(job, "id").to_owned(),
        shown.handler.to_owned(),
        text(job, "status").to_owned(),
        format!("{}/{}", number(job, "attempts"), number(job, "max_attempts")),
        thousands(fuel),
        format!("{:.1} MiB", memory as f64 / (1 << 20) as f64),
        format!("{:.1} ms", wall_us as f64 / 1000.0),
        error,
    ]
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(" ")
}

pub(crate) fn text<'a>(job: &'a Value, name: &str) -> &'a str {
    job[name].as_str().unwrap_or_default()
}

pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1 000"), (2_000_000_000, "2 000 000 000")]
        {
            assert_eq!(thousands(number), expected);
        }
    }
}
