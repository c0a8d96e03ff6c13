//! The slots in local time, found by the crate `cron`.
//!
//! That crate speaks another dialect: a field for seconds in front, Sunday is 1, the days are always
//! AND-ed, and its own handling of clock changes. So it gets no text of the user's but lists of
//! numbers, a second schedule when the days are OR-ed, and a clock that never changes: local time
//! dressed as UTC. It knows the years 1970 to 2100.

use super::CronError;
use super::field::{Fields, Values};
use ::cron::Schedule;
use chrono::DateTime;

/// The local times at which an expression fires.
#[derive(Debug, Clone)]
pub(super) struct LocalSlots {
    /// One or two; a slot of either is a slot.
    schedules: Vec<Schedule>,
}

impl LocalSlots {
    /// Refuses days that no month given has.
    pub(super) fn new(fields: &Fields) -> Result<LocalSlots, CronError> {
        let (month_days, weekdays) = (&fields.day_of_month, &fields.day_of_week);
        let time = format!("0 {} {}", list(&fields.minute, 0), list(&fields.hour, 0));
        let month = list(&fields.month, 0);
        let month_days_list = list(month_days, 0);
        // Ours count from Sunday as 0, the crate's as 1.
        let weekdays_list = list(weekdays, 1);
        let schedules = if month_days.begins_with_star || weekdays.begins_with_star {
            check_days(month_days, &fields.month)?;
            vec![schedule(&format!("{time} {month_days_list} {month} {weekdays_list}"))?]
        } else {
            vec![
                schedule(&format!("{time} {month_days_list} {month} *"))?,
                schedule(&format!("{time} * {month} {weekdays_list}"))?,
            ]
        };
        Ok(LocalSlots { schedules })
    }

    /// The first slot after a local time, not at it; both in seconds since 1970 as a clock shows
    /// them that never changes.
    pub(super) fn next_after(&self, local: i64) -> Option<i64> {
        let local = DateTime::from_timestamp(local, 0)?;
        let firsts = self.schedules.iter().filter_map(|schedule| schedule.after(&local).next());
        firsts.map(|slot| slot.timestamp()).min()
    }
}

fn list(values: &Values, shift: u32) -> String {
    values.iter().map(|value| (value + shift).to_string()).collect::<Vec<_>>().join(",")
}

fn schedule(expression: &str) -> Result<Schedule, CronError> {
    expression.parse().map_err(|error| CronError(format!("the crate `cron` refuses `{expression}`: {error}")))
}

/// Whether a month given has one of the days given.
fn check_days(days: &Values, months: &Values) -> Result<(), CronError> {
    const LONGEST: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let first = days.iter().next().unwrap_or_default();
    if months.iter().any(|month| LONGEST[month as usize - 1] >= first) {
        return Ok(());
    }
    Err(CronError(format!(
        "the expression never fires: month {} has no day {}; write a day that the month has, such as `28`",
        list(months, 0),
        list(days, 0)
    )))
}
