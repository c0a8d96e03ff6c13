//! When a recurring job is due: crontab(5) expressions in a time zone.
//!
//! Five fields, minute hour day-of-month month day-of-week, read as Vixie's and Debian's cron reads
//! them. The days are OR-ed when both day fields are restricted: `0 9 1 * 5` is the 1st and every
//! Friday. A field that begins with `*`, also `*/2`, does not restrict: then both must match
//! (crontab(5), "The day of a command's execution can be specified by two fields"; `DOM_STAR` and
//! `DOW_STAR` in Vixie cron's entry.c). Beyond crontab(5), `fri-sun` is a range that ends on day 7.
//!
//! An expression is *fixed* when neither minute nor hour begins with `*` (`30 2 * * *`); all others
//! *follow the clock* (`*/15 2 * * *`, `30 * * * *`, `@hourly`). When the clock changes, as in
//! Debian's cron(8), "Special considerations exist when the clock is changed":
//!
//! | expression | slots in the time that is skipped | slots in the time that is repeated |
//! | --- | --- | --- |
//! | fixed | all together once, at the first instant after it | once, at their first occurrence |
//! | follows the clock | none | both times |
//!
//! cron(8) takes a change of more than three hours for a correction of the clock and makes up for
//! nothing. A zone's rules hold no corrections, so here the table has no such limit: the day that
//! Pacific/Apia skipped in 2011 is made up for as well.
//!
//! The crate `cron` finds the slots in local time (`dialect`), this module places them on the line
//! of instants (`clock_change`).

mod clock_change;
mod dialect;
mod field;
#[cfg(test)]
mod tests;

use self::dialect::LocalSlots;
use self::field::Fields;
use std::fmt;

/// An IANA time zone; [`parse_zone`] reads its name.
pub use chrono_tz::Tz;

/// The longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 256;

/// What is wrong with an expression or a zone, and what to write instead; for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CronError(String);

/// A crontab(5) expression that has been checked: it can fire.
#[derive(Debug, Clone)]
pub struct Cron {
    text: String,
    slots: LocalSlots,
    /// Whether minute or hour begins with `*`; see the module's table.
    follows_clock: bool,
}

/// What an `@name` stands for.
const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Instants outside are treated as these: two days around the local years 1970 to 2100, which are
/// all that the crate `cron` knows.
const SECONDS_SEARCHED: (i64, i64) = (-2 * 86_400, 4_133_980_800 + 2 * 86_400);

impl Cron {
    /// Reads `30 4 1,15 * mon-fri` or `@daily`; names in any case, blanks around it ignored.
    ///
    /// Refused, with what to write instead: other dialects (seconds, years, `?`, `L`, `W`, `#`,
    /// `@reboot`), values out of range, steps longer than the field (Vixie's cron takes `*/90` for
    /// hourly), and days that no month given has (`0 0 30 2 *`).
    pub fn parse(text: &str) -> Result<Cron, CronError> {
        let text = plain(text)?;
        let fields = Fields::parse(expand(text)?)?;
        Ok(Cron {
            text: text.to_owned(),
            slots: LocalSlots::new(&fields)?,
            follows_clock: fields.minute.begins_with_star || fields.hour.begins_with_star,
        })
    }

    /// The first slot after an instant, not at it; both in milliseconds since 1970.
    ///
    /// None when there is none from 1970 to 2100: the days ran out (29 February after 2096), or the
    /// expression follows the clock and names only times which the zone always skips. What is known
    /// of the zones' clock changes ends with 2099. Takes microseconds, some 0.1 ms at worst.
    pub fn after(&self, after_ms: i64, zone: Tz) -> Option<i64> {
        let after = after_ms.div_euclid(1000).clamp(SECONDS_SEARCHED.0, SECONDS_SEARCHED.1);
        let next = if self.follows_clock {
            clock_change::next_by_the_clock(&self.slots, after, zone)
        } else {
            clock_change::next_fixed(&self.slots, after, zone)
        };
        next.map(|seconds| seconds * 1000)
    }

    /// All slots after the one instant, up to and at the other; milliseconds since 1970.
    pub fn slots(&self, after_ms: i64, until_ms: i64, zone: Tz) -> impl Iterator<Item = i64> {
        std::iter::successors(self.after(after_ms, zone), move |&slot| self.after(slot, zone))
            .take_while(move |&slot| slot <= until_ms)
    }
}

/// As it was given, without the blanks around it.
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads an IANA name, spelt exactly: `Europe/Berlin`, `UTC`.
pub fn parse_zone(name: &str) -> Result<Tz, CronError> {
    let remedy = "write an IANA name such as `Europe/Berlin` or `UTC`";
    if name.is_empty() {
        return Err(CronError(format!("the time zone is empty; {remedy}")));
    }
    name.parse().map_err(|_| {
        let shown: String = name.escape_debug().take(64).collect();
        CronError(format!("there is no time zone `{shown}`; {remedy}"))
    })
}

/// The text without blanks around it, if it is short and of plain characters, safe to show.
fn plain(text: &str) -> Result<&str, CronError> {
    let length = text.len();
    if length > EXPRESSION_BYTES_MAX {
        let wrong = format!("the expression has {length} bytes; write at most {EXPRESSION_BYTES_MAX}");
        return Err(CronError(wrong));
    }
    let text = text.trim();
    match text.chars().find(|&c| !(c.is_ascii_graphic() || c == ' ' || c == '\t')) {
        None => Ok(text),
        Some(c) => Err(CronError(format!(
            "the expression contains the character U+{:04X}; write only ASCII letters, digits, `*,-/` \
             and blanks",
            u32::from(c)
        ))),
    }
}

/// The five fields that an `@name` stands for; other text as it is.
fn expand(text: &str) -> Result<&str, CronError> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    if let Some((_, fields)) = NAMED.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)) {
        return Ok(fields);
    }
    let (name, remedy) = match text.split_ascii_whitespace().next() {
        Some(name) if name.eq_ignore_ascii_case("@reboot") => {
            (name, "has no meaning here: a fleet does not boot; enqueue the job when it should run")
        }
        Some(name) if name.eq_ignore_ascii_case("@every") => {
            (name, "is another dialect's; write steps, such as `*/5 * * * *` for every five minutes")
        }
        _ => (text, "is unknown; write @yearly, @monthly, @weekly, @daily or @hourly, or five fields"),
    };
    Err(CronError(format!("`{name}` {remedy}")))
}
