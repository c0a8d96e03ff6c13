use crate::bench::Figure;
use bytesize::ByteSize;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use flowmonkey_jobs::job::{Job, Usage};
use flowmonkey_jobs::scheduler::Upcoming;
use flowmonkey_jobs::store::{HandlerStats, STATS_COUNT_MAX};
use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

/// Text as a terminal may show it: handlers write errors and messages, and must not move the cursor.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| c == '\n' || !c.is_control();
    if text.chars().all(harmless) {
        return text.into();
    }
    text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect::<String>().into()
}

/// The first line of a text, cut to so many characters.
pub(super) fn short(text: &str, chars_max: usize) -> String {
    let text = printable(text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.next().unwrap_or_default();
    let cut = line.chars().count() > chars_max;
    if !cut && lines.next().is_none() {
        return line.to_owned();
    }
    line.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// Jobs, one a line.
pub(super) fn jobs(jobs: &[Job], now_ms: i64) -> String {
    let mut table = plain();
    let header = ["JOB", "HANDLER", "STATUS", "ATTEMPTS", "AGE", "FUEL", "MEMORY", "TIME", "NOTE"];
    table.set_header(header);
    for job in jobs {
        let usage = job.history.iter().rev().find_map(|entry| entry.usage);
        let shown = |show: fn(&Usage) -> String| usage.as_ref().map(show).unwrap_or_default();
        table.add_row([
            job.id.clone(),
            printable(&job.handler).into_owned(),
            job.status.to_string(),
            format!("{}/{}", job.attempts, job.max_attempts),
            age(now_ms - job.created_at),
            shown(fuel),
            shown(memory),
            shown(wall),
            note(job, now_ms),
        ]);
    }
    align_right(&mut table, 3..8);
    trimmed(&table)
}

/// What was measured, one a line.
pub(super) fn figures(figures: &[Figure]) -> String {
    let mut table = plain();
    table.set_header(["MEASURE", "WHAT", "", "", "GOAL", ""]);
    for figure in figures {
        let held = figure.holds().map_or("", |holds| if holds { "held" } else { "missed" });
        table.add_row([
            figure.measure.to_owned(),
            figure.name.clone(),
            figure.shown(),
            figure.unit.to_owned(),
            figure.goal.map(super::bench::goal).unwrap_or_default(),
            held.to_owned(),
        ]);
    }
    align_right(&mut table, 2..3);
    trimmed(&table)
}

/// Handlers and how many jobs they have, one a line.
pub(super) fn stats(handlers: &[HandlerStats]) -> String {
    let max = u64::from(STATS_COUNT_MAX);
    let count = |count: u64| if count >= max { format!("{max}+") } else { count.to_string() };
    let mut table = plain();
    table.set_header([
        "HANDLER",
        "DUE",
        "OLDEST",
        "LATER",
        "WAITING",
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "CANCELLED",
    ]);
    for one in handlers {
        table.add_row([
            printable(&one.handler).into_owned(),
            count(one.due),
            one.oldest_due_ms.map(age).unwrap_or_default(),
            count(one.later),
            count(one.waiting),
            count(one.running),
            count(one.completed),
            count(one.failed),
            count(one.cancelled),
        ]);
    }
    align_right(&mut table, 1..9);
    format!("{}\nEnded jobs are those of the last hour.", trimmed(&table))
}

/// Schedules and their next runs, one a line.
pub(super) fn schedules(upcoming: &[Upcoming], now_ms: i64) -> String {
    let mut table = plain();
    table.set_header(["SCHEDULE", "CRON", "ZONE", "HANDLER", "LAST", "NEXT"]);
    for Upcoming { schedule, next } in upcoming {
        let spec = &schedule.spec;
        let moment = |at: &i64| {
            let since = Duration::from_millis(u64::try_from(*at).unwrap_or_default());
            humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
        };
        let next = match (schedule.paused, next.as_slice()) {
            (true, _) => "paused".into(),
            (false, []) => "never".into(),
            (false, next) => next.iter().map(moment).collect::<Vec<_>>().join("  "),
        };
        table.add_row([
            printable(&spec.name).into_owned(),
            printable(&spec.cron).into_owned(),
            printable(&spec.time_zone).into_owned(),
            printable(&spec.handler).into_owned(),
            schedule.last_at.map(|at| format!("{} ago", age(now_ms - at))).unwrap_or_default(),
            next,
        ]);
    }
    trimmed(&table)
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn align_right(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Trailing blanks would wrap on a narrow terminal.
fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A table of texts that may hold anything.
pub(super) fn rows<const N: usize>(header: [&str; N], lines: impl Iterator<Item = [String; N]>) -> String {
    let mut table = plain();
    table.set_header(header);
    for line in lines {
        table.add_row(line.map(|cell| short(&cell, 120)));
    }
    trimmed(&table)
}

/// Names and values, one a line.
pub(super) fn pairs(pairs: &[(&str, String)]) -> String {
    let mut table = plain();
    for (name, value) in pairs {
        table.add_row([Cell::new(name), Cell::new(printable(value))]);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The one thing worth knowing about a job at a glance.
fn note(job: &Job, now_ms: i64) -> String {
    use flowmonkey_jobs::job::Status::{Completed, Pending, Running};
    match job.status {
        Completed => job.result.as_ref().map(|result| short(result.as_str(), 48)).unwrap_or_default(),
        Running => job.progress.as_ref().map(progress).unwrap_or_default(),
        Pending if job.waiting.is_some() || job.run_at.is_none_or(|at| at > now_ms) => {
            let due = job.run_at.map_or("a signal".into(), |at| format!("due in {}", age(at - now_ms)));
            let error = job.error.as_ref().map(|error| format!(" after {}", error.code));
            short(&format!("waits, {due}{}", error.unwrap_or_default()), 60)
        }
        _ => job.error.as_ref().map(|error| short(&error.to_string(), 72)).unwrap_or_default(),
    }
}

pub(super) fn progress(progress: &flowmonkey_jobs::job::Progress) -> String {
    let message = progress.message.as_deref().unwrap_or_default();
    short(format!("{:.0} % {message}", progress.percent).trim(), 60)
}

/// A span of milliseconds in its two largest units.
pub(super) fn age(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

pub(super) fn fuel(usage: &Usage) -> String {
    match usage.fuel {
        None => "-".into(),
        Some(units @ 0..10_000) => units.to_string(),
        Some(units @ 10_000..10_000_000) => format!("{}k", units / 1000),
        Some(units @ 10_000_000..10_000_000_000) => format!("{}M", units / 1_000_000),
        Some(units) => format!("{}G", units / 1_000_000_000),
    }
}

pub(super) fn memory(usage: &Usage) -> String {
    ByteSize(usage.memory_bytes).display().iec().to_string()
}

pub(super) fn wall(usage: &Usage) -> String {
    match usage.wall_us {
        us @ 0..10_000 => format!("{:.2} ms", us as f64 / 1e3),
        us @ 10_000..1_000_000 => format!("{} ms", us / 1000),
        us => format!("{:.1} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handlers_text_cannot_move_the_cursor() {
        assert_eq!(printable("a\x1b[2Jb\rc\u{9b}d\ne"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\ne");
        assert_eq!(short("\n  first\nsecond", 20), "first…");
        assert_eq!(short("first", 20), "first");
        assert_eq!(short("1234567", 4), "123…");
    }

    #[test]
    fn spans_are_short() {
        let table =
            [(-5, "0s"), (59_999, "59s"), (61_000, "1m01s"), (3_600_000, "1h00m"), (90_000_000, "1d01h")];
        for (ms, expected) in table {
            assert_eq!(age(ms), expected);
        }
    }
}
