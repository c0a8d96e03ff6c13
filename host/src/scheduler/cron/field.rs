//! From a field's text to the values it names.

use super::CronError;

/// What an expression names, not yet joined into slots.
#[derive(Debug)]
pub(super) struct Fields {
    /// 0 to 59.
    pub(super) minute: Values,
    /// 0 to 23.
    pub(super) hour: Values,
    /// 1 to 31.
    pub(super) day_of_month: Values,
    /// 1 to 12.
    pub(super) month: Values,
    /// 0 to 6, from Sunday.
    pub(super) day_of_week: Values,
}

/// The values of one field; never none.
#[derive(Debug)]
pub(super) struct Values {
    /// Bit n is value n.
    bits: u64,
    /// Also `*/2`: what crontab(5) calls unrestricted.
    pub(super) begins_with_star: bool,
}

/// What may stand in a field.
struct Kind {
    name: &'static str,
    min: u32,
    max: u32,
    /// The largest number that is read: 7 is Sunday again, and becomes 0.
    max_read: u32,
    /// The first is the smallest value.
    names: &'static [&'static str],
}

const MINUTE: Kind = Kind { name: "minute", min: 0, max: 59, max_read: 59, names: &[] };
const HOUR: Kind = Kind { name: "hour", min: 0, max: 23, max_read: 23, names: &[] };
const DAY_OF_MONTH: Kind = Kind { name: "day-of-month", min: 1, max: 31, max_read: 31, names: &[] };
const MONTH: Kind = Kind { name: "month", min: 1, max: 12, max_read: 12, names: &MONTHS };
const DAY_OF_WEEK: Kind = Kind { name: "day-of-week", min: 0, max: 6, max_read: 7, names: &DAYS };

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Fields {
    /// Reads five fields with blanks between them.
    pub(super) fn parse(text: &str) -> Result<Fields, CronError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day_of_month, month, day_of_week] = fields[..] else {
            return Err(wrong_count(&fields));
        };
        Ok(Fields {
            minute: MINUTE.parse(minute)?,
            hour: HOUR.parse(hour)?,
            day_of_month: DAY_OF_MONTH.parse(day_of_month)?,
            month: MONTH.parse(month)?,
            day_of_week: DAY_OF_WEEK.parse(day_of_week)?,
        })
    }
}

impl Values {
    /// In ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(|n| self.bits >> n & 1 == 1)
    }
}

impl Kind {
    fn parse(&self, text: &str) -> Result<Values, CronError> {
        let bits = text.split(',').try_fold(0, |bits, item| Ok(bits | self.item(text, item)?))?;
        Ok(Values { bits, begins_with_star: text.starts_with('*') })
    }

    /// One item of a list, as bits: `*`, `5`, `1-5`, `*/2`, `1-5/2`.
    fn item(&self, field: &str, item: &str) -> Result<u64, CronError> {
        if item.is_empty() {
            return Err(self.error(field, "has an empty item", "a value between commas"));
        }
        if let Some((wrong, remedy)) = foreign(item) {
            return Err(self.error(item, wrong, remedy));
        }
        let (span, step) = match item.split_once('/') {
            Some((span, step)) => (span, Some(self.step(item, step)?)),
            None => (item, None),
        };
        let (first, last) = if span == "*" {
            (self.min, self.max)
        } else if let Some((first, last)) = span.split_once('-') {
            self.range(item, (first, last), step.unwrap_or(1))?
        } else {
            let value = self.value(item, span)?;
            if let Some(step) = step {
                let remedy = format!("`{}-{}/{step}`", self.once(value), self.max);
                return Err(self.error(item, "steps from a single value", &remedy));
            }
            (value, value)
        };
        let values = (first..=last).step_by(step.unwrap_or(1) as usize);
        Ok(values.fold(0, |bits, value| bits | 1 << self.once(value)))
    }

    fn step(&self, item: &str, step: &str) -> Result<u32, CronError> {
        let count = self.max - self.min + 1;
        let remedy = format!("a step from 1 to {count}");
        match number(step) {
            None => Err(self.error(item, "has a step which is no number", &remedy)),
            Some(0) => Err(self.error(item, "has the step 0", &remedy)),
            // Vixie's cron accepts it and fires at the first value only: `*/90` would be hourly.
            Some(step) if step > count => {
                Err(self.error(item, "has a step which is longer than the field", &remedy))
            }
            Some(step) => Ok(step),
        }
    }

    fn range(&self, item: &str, ends: (&str, &str), step: u32) -> Result<(u32, u32), CronError> {
        let first = self.value(item, ends.0)?;
        let last = match self.value(item, ends.1)? {
            // `fri-sun` ends the week with Sunday, `sun-tue` begins it; `sun-sun` is one day.
            0 if first > 0 && ends.1.eq_ignore_ascii_case("sun") => 7,
            last => last,
        };
        if first <= last {
            return Ok((first, last));
        }
        let first = self.once(first);
        let remedy = if first <= last {
            format!("{first}-{last}/{step}").trim_end_matches("/1").to_owned()
        } else if step == 1 {
            format!("{},{}", span(first, self.max), span(self.min, last))
        } else {
            let around = (first..=self.max).chain(self.min..=last).step_by(step as usize);
            around.map(|value| value.to_string()).collect::<Vec<_>>().join(",")
        };
        Err(self.error(item, "runs backwards", &format!("`{remedy}`")))
    }

    /// A number or a name; 7 stays 7.
    fn value(&self, item: &str, text: &str) -> Result<u32, CronError> {
        if let Some(value) = number(text) {
            if (self.min..=self.max_read).contains(&value) {
                return Ok(value);
            }
            let wrong = if item == text { "is" } else { &format!("has {text}, which is") };
            return Err(self.error(item, &format!("{wrong} out of range"), &self.allowed()));
        }
        if let Some(index) = self.names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
            return Ok(self.min + index as u32);
        }
        if let Some((wrong, remedy)) = self.last_or_nearest(text) {
            return Err(self.error(item, wrong, remedy));
        }
        let wrong = match text {
            "" => "lacks a value".to_owned(),
            _ => format!("has `{text}`, which is no value of this field"),
        };
        let start = text.get(..3).unwrap_or(text);
        let remedy = match self.names.iter().find(|name| start.eq_ignore_ascii_case(name)) {
            Some(name) => format!("`{name}`"),
            None => self.allowed(),
        };
        Err(self.error(item, &wrong, &remedy))
    }

    /// The value under its one number: Sunday is 0.
    fn once(&self, value: u32) -> u32 {
        if value > self.max { self.min } else { value }
    }

    /// Quartz's `L`, `5L`, `friL`, `LW`, `15W`: (what is wrong, the remedy).
    fn last_or_nearest(&self, text: &str) -> Option<(&'static str, &'static str)> {
        let rest = text.trim_end_matches(['L', 'l', 'W', 'w']);
        let named = self.names.iter().any(|name| rest.eq_ignore_ascii_case(name));
        if rest == text || !(rest.is_empty() || named || number(rest).is_some()) {
            return None;
        }
        if text.ends_with(['W', 'w']) {
            return Some(("has `W` for the nearest weekday, which crontab(5) lacks", "the days themselves"));
        }
        let remedy = "the days it can be, such as `28-31`, and let the handler check the date";
        Some(("has `L` for the last, which crontab(5) lacks", remedy))
    }

    fn allowed(&self) -> String {
        let numbers = format!("{} to {}", self.min, self.max_read);
        match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!("{numbers} or {first} to {last}"),
            _ => numbers,
        }
    }

    fn error(&self, text: &str, wrong: &str, remedy: &str) -> CronError {
        CronError(format!("{} `{text}` {wrong}; write {remedy}", self.name))
    }
}

/// Digits only: `parse` alone would accept `+5`. Too many digits saturate: out of range everywhere.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

fn span(first: u32, last: u32) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// What other dialects write: (what is wrong, the remedy).
fn foreign(item: &str) -> Option<(&'static str, &'static str)> {
    if item.contains('?') {
        return Some(("has `?`, which is Quartz's", "`*`"));
    }
    if item.contains('#') {
        let remedy = "seven days of the month, such as `8-14`, and let the handler check the weekday";
        return Some(("has `#` for the nth weekday, which crontab(5) lacks", remedy));
    }
    None
}

fn wrong_count(fields: &[&str]) -> CronError {
    let wanted = "write five: minute hour day-of-month month day-of-week";
    CronError(match fields.len() {
        0 => "the expression is empty; write five fields, such as `0 3 * * *`, or @daily".to_owned(),
        _ if fields[0].contains('=') => {
            format!("`{}` is no field; {wanted}, and give the time zone separately", fields[0])
        }
        count @ (6 | 7) => {
            format!("the expression has {count} fields; {wanted}: seconds and years are not supported")
        }
        count => format!("the expression has {count} fields; {wanted}"),
    })
}
