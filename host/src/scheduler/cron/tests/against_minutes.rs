//! Random expressions against a clock that is watched minute by minute.

use super::*;
use chrono::{Datelike, TimeZone, Timelike};

/// A zone around one of its changes.
const CHANGES: [(&str, &str); 25] = [
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("America/New_York", "2027-03-14T07:00:00Z"),
    ("America/New_York", "2027-11-07T06:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("Europe/Berlin", "2027-03-28T01:00:00Z"),
    ("Europe/Berlin", "2027-10-31T01:00:00Z"),
    ("Europe/Dublin", "2026-03-29T01:00:00Z"),
    ("Europe/Dublin", "2026-10-25T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2019-02-17T02:00:00Z"),
    ("Asia/Beirut", "2026-03-28T22:00:00Z"),
    ("Asia/Beirut", "2026-10-24T21:00:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Africa/Cairo", "2026-10-29T21:00:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("Antarctica/Casey", "2018-03-10T17:00:00Z"),
    ("Antarctica/Vostok", "1994-01-31T17:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Asia/Kathmandu", "1985-12-31T18:30:00Z"),
    ("UTC", "2028-02-29T00:00:00Z"),
];
const HOURS_BEFORE: i64 = 40;
const MINUTES: i64 = 80 * 60;

/// What the clock shows in one minute.
#[derive(Clone, Copy)]
struct Shown {
    instant: i64,
    /// Minutes since 1970 by the local clock.
    local: i64,
}

fn watch(zone: Tz, change: i64) -> Vec<Shown> {
    let minutes = (0..MINUTES).map(|minute| change / 60_000 - HOURS_BEFORE * 60 + minute);
    minutes
        .map(|minute| {
            let local = zone.timestamp_opt(minute * 60, 0).unwrap().naive_local();
            Shown { instant: minute * 60_000, local: local.and_utc().timestamp() / 60 }
        })
        .collect()
}

/// A field's text, and what it means.
struct Field {
    text: String,
    values: Vec<u32>,
    star: bool,
}

fn random_field(random: &mut Lcg, min: u32, max: u32) -> Field {
    let mut value = |from: u32| from + random.below(max - from + 1);
    let (first, step) = (value(min), value(1));
    let last = value(first);
    let (text, values) = match random.below(7) {
        0 | 1 => ("*".to_owned(), (min..=max).collect()),
        2 => (format!("*/{step}"), (min..=max).step_by(step as usize).collect()),
        3 => (format!("{first}"), vec![first]),
        4 => (format!("{first}-{last}"), (first..=last).collect()),
        5 => {
            let step = 1 + step % 7;
            (format!("{first}-{last}/{step}"), (first..=last).step_by(step as usize).collect())
        }
        _ => (format!("{last},{min},{first}"), vec![first, last, min]),
    };
    Field { star: text.starts_with('*'), text, values }
}

/// Minute, hour, day-of-month, month, day-of-week; some of them near the change.
fn random_expression(random: &mut Lcg) -> [Field; 5] {
    let any = || Field { text: "*".to_owned(), values: (0..=31).collect(), star: true };
    let often = |random: &mut Lcg, min: u32, max: u32| match random.below(3) {
        0 => random_field(random, min, max),
        _ => any(),
    };
    let minute = random_field(random, 0, 59);
    let mut hour = random_field(random, 0, 23);
    if !hour.star && random.below(2) == 0 {
        hour = Field { text: "0-3".to_owned(), values: (0..=3).collect(), star: false };
    }
    [minute, hour, often(random, 1, 31), often(random, 1, 12), often(random, 0, 6)]
}

fn matches(fields: &[Field; 5], local: i64) -> bool {
    let at = DateTime::from_timestamp(local * 60, 0).unwrap();
    let shown = [at.minute(), at.hour(), at.day(), at.month(), at.weekday().num_days_from_sunday()];
    let [minute, hour, day, month, weekday] =
        std::array::from_fn(|field| fields[field].values.contains(&shown[field]));
    let days = if fields[2].star || fields[4].star { day && weekday } else { day || weekday };
    minute && hour && month && days
}

/// What fires, from the policy as cron(8) words it: what is fixed runs in the first minute in which
/// the clock has reached its slot, and not again when the clock is set back.
fn watched(fields: &[Field; 5], minutes: &[Shown]) -> Vec<i64> {
    let follows_clock = fields[0].star || fields[1].star;
    let mut reached = minutes[0].local - 1;
    let mut fired = Vec::new();
    for minute in minutes {
        let fires = if follows_clock {
            matches(fields, minute.local)
        } else {
            (reached + 1..=minute.local).any(|local| matches(fields, local))
        };
        reached = reached.max(minute.local);
        if fires {
            fired.push(minute.instant);
        }
    }
    fired
}

#[test]
fn every_slot_is_one_that_a_watched_clock_reaches() {
    let mut random = Lcg(2026);
    let (mut compared, mut fired) = (0, 0);
    for (name, change) in CHANGES {
        let zone = zone(name);
        let minutes = watch(zone, instant(change));
        let (start, end) = (minutes[0].instant - 1, minutes[minutes.len() - 1].instant);
        for _ in 0..150 {
            let fields = random_expression(&mut random);
            let text = fields.each_ref().map(|field| field.text.as_str()).join(" ");
            let Ok(cron) = Cron::parse(&text) else { continue };
            let expected = watched(&fields, &minutes);
            let found: Vec<i64> = cron.slots(start, end, zone).collect();
            let different = found.iter().zip(&expected).position(|(found, expected)| found != expected);
            let at = different.unwrap_or(found.len().min(expected.len()));
            let first = |slots: &[i64]| slots.get(at).map(|&slot| shown(slot, zone));
            assert_eq!(first(&found), first(&expected), "{text} in {name}: slot {at}");
            for _ in 0..20 {
                let after = start + i64::from(random.below((end - start) as u32));
                let next = expected.iter().copied().find(|&slot| slot > after);
                let found = cron.after(after, zone).filter(|&slot| slot <= end);
                assert_eq!(found, next, "{text} in {name} after {}", shown(after, zone));
            }
            compared += 1;
            fired += found.len();
        }
    }
    assert!(compared > 3000 && fired > 100_000, "{compared} compared, {fired} fired");
}
