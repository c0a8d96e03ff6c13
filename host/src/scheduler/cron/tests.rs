mod against_minutes;
mod clock_changes;
mod refused;
mod slots;

use super::*;
use chrono::DateTime;

fn cron(text: &str) -> Cron {
    Cron::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn zone(name: &str) -> Tz {
    parse_zone(name).unwrap()
}

/// An RFC 3339 instant, in milliseconds since 1970.
fn instant(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap_or_else(|error| panic!("{text}: {error}")).timestamp_millis()
}

fn shown(instant: i64, zone: Tz) -> String {
    DateTime::from_timestamp_millis(instant).unwrap().with_timezone(&zone).to_rfc3339()
}

/// The slots of `text` after `start` begin with these.
fn assert_slots(text: &str, name: &str, start: &str, expected: &[&str]) {
    let zone = zone(name);
    let slots = cron(text).slots(instant(start), i64::MAX, zone).take(expected.len()).collect::<Vec<_>>();
    let slots: Vec<String> = slots.into_iter().map(|slot| shown(slot, zone)).collect();
    let expected: Vec<String> = expected.iter().map(|text| shown(instant(text), zone)).collect();
    assert_eq!(slots, expected, "{text} in {name} after {start}");
}

/// Numbers that look random and are the same in every run (Knuth's MMIX constants).
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(bound)) as u32
    }
}

#[test]
fn it_is_shown_as_it_was_given() {
    for (given, expected) in [("  30 4 * *  MON\n", "30 4 * *  MON"), ("@Daily", "@Daily")] {
        assert_eq!(cron(given).to_string(), expected);
    }
}

#[test]
fn zones_have_iana_names() {
    for name in ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
        assert_eq!(zone(name).name(), name);
    }
    let long = "\u{1b}".repeat(1000);
    for name in ["", "Berlin", "europe/berlin", " UTC", "+02:00", &long] {
        let message = parse_zone(name).unwrap_err().to_string();
        assert!(message.contains("`Europe/Berlin` or `UTC`"), "{name}: {message}");
        assert!(message.len() < 160 && !message.contains('\u{1b}'), "{message}");
    }
}

#[test]
fn it_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Cron>();
    shared::<CronError>();
}

#[test]
fn instants_far_away_are_answered() {
    let daily = cron("0 0 * * *");
    assert_eq!(daily.after(i64::MIN, Tz::UTC), Some(0));
    assert_eq!(daily.after(-1, Tz::UTC), Some(0));
    assert_eq!(daily.after(0, Tz::UTC), Some(86_400_000));
    assert_eq!(daily.after(instant("2100-12-30T23:59:59Z"), Tz::UTC), Some(instant("2100-12-31T00:00:00Z")));
    assert_eq!(daily.after(instant("2100-12-31T00:00:00Z"), Tz::UTC), None);
    assert_eq!(daily.after(i64::MAX, Tz::UTC), None);
}

#[test]
fn it_ends_where_the_days_run_out() {
    let leap = cron("0 0 29 2 *");
    assert_eq!(leap.after(instant("2096-02-29T00:00:00Z"), Tz::UTC), None);
    // Always in the hour that Berlin skips, as far as its rules are known: to 2099.
    let skipped = cron("*/15 2 25-31 3 */7");
    let (start, end) = (instant("1997-01-01T00:00:00Z"), instant("2100-01-01T00:00:00Z"));
    assert_eq!(skipped.slots(start, end, zone("Europe/Berlin")).count(), 0);
    assert_eq!(skipped.slots(start, end, Tz::UTC).count(), 103 * 4);
}

#[test]
fn slots_include_the_end_and_not_the_start() {
    let hourly = cron("@hourly");
    let (start, end) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-01T03:00:00Z"));
    let count = |from: i64, to: i64| hourly.slots(from, to, Tz::UTC).count();
    for (from, to, expected) in
        [(start, end, 3), (start - 1, end, 4), (start, end - 1, 2), (start, start, 0), (end, start, 0)]
    {
        assert_eq!(count(from, to), expected, "{from} to {to}");
    }
}
