//! From slots in local time to instants, across changes of the clock: the table in [`super`].
//!
//! Instants and local times are seconds since 1970; a local time is what a clock shows that a UTC
//! clock would show at that many seconds. No zone changes twice within five days from 1970 to 2100
//! (tzdb 2025b), so a local time has at most two instants, and one change lies between them.

use super::Tz;
use super::dialect::LocalSlots;
use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::GapInfo;

/// Where a local time lies on the line of instants.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Once(i64),
    /// It is repeated.
    Twice {
        first: i64,
        second: i64,
    },
    /// It is skipped; the gap ends at this instant.
    Skipped {
        until: i64,
    },
}

/// The first instant after `after` at which an expression fires that is fixed.
///
/// A slot fires when the clock first shows it or more.
pub(super) fn next_fixed(slots: &LocalSlots, after: i64, zone: Tz) -> Option<i64> {
    let mut local = local_at(after, zone);
    loop {
        local = slots.next_after(local)?;
        let instant = match place(local, zone) {
            Place::Once(instant) => instant,
            Place::Twice { first, .. } => first,
            Place::Skipped { until } => until,
        };
        // In the second pass the slots ahead have fired in the first.
        if instant > after {
            return Some(instant);
        }
    }
}

/// The first instant after `after` at which the clock shows a slot.
pub(super) fn next_by_the_clock(slots: &LocalSlots, after: i64, zone: Tz) -> Option<i64> {
    let local = local_at(after, zone);
    let upcoming = next_shown(slots, local, after, zone);
    let Place::Twice { first, second } = place(local, zone) else {
        return upcoming;
    };
    if first != after {
        return upcoming;
    }
    // In the first pass: slots at or before `local` come again, but not before the change.
    let change = change_between(first, second, zone);
    let again = slots.next_after(local_at(change, zone) - 1).filter(|&slot| slot <= local);
    let again = again.map(|slot| second - (local - slot));
    [upcoming, again].into_iter().flatten().min()
}

/// The first instant after `after` of the slots after `local`.
fn next_shown(slots: &LocalSlots, mut local: i64, after: i64, zone: Tz) -> Option<i64> {
    loop {
        local = slots.next_after(local)?;
        match place(local, zone) {
            Place::Once(instant) if instant > after => return Some(instant),
            Place::Twice { first, .. } if first > after => return Some(first),
            Place::Twice { second, .. } if second > after => return Some(second),
            Place::Skipped { until } => local = local.max(local_at(until, zone) - 1),
            // Never, but for changes that overlap.
            Place::Once(_) | Place::Twice { .. } => {}
        }
    }
}

fn place(local: i64, zone: Tz) -> Place {
    let shown = naive(local);
    match zone.offset_from_local_datetime(&shown) {
        LocalResult::Single(offset) => Place::Once(local - seconds(&offset)),
        LocalResult::Ambiguous(one, other) => {
            let (one, other) = (local - seconds(&one), local - seconds(&other));
            Place::Twice { first: one.min(other), second: one.max(other) }
        }
        LocalResult::None => {
            // The gap begins in the offset before it; `GapInfo::end` would be None where a repeat follows.
            let begin = GapInfo::new(&shown, &zone).and_then(|gap| gap.begin);
            let until = begin.map(|(begin, offset)| begin.and_utc().timestamp() - seconds(&offset));
            Place::Skipped { until: until.unwrap_or(local) }
        }
    }
}

/// The first instant after `before` with the offset of `after`, given that one change lies between.
fn change_between(mut before: i64, mut after: i64, zone: Tz) -> i64 {
    let changed = offset_at(after, zone);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset_at(middle, zone) == changed { after = middle } else { before = middle }
    }
    after
}

fn local_at(instant: i64, zone: Tz) -> i64 {
    instant + offset_at(instant, zone)
}

fn offset_at(instant: i64, zone: Tz) -> i64 {
    seconds(&zone.offset_from_utc_datetime(&naive(instant)))
}

fn seconds(offset: &impl Offset) -> i64 {
    i64::from(offset.fix().local_minus_utc())
}

fn naive(seconds: i64) -> NaiveDateTime {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc()
}
