use crate::store::{Missed, NewSchedule};
use std::collections::VecDeque;

/// A slot that is older has been missed; a younger one is only late.
const LATE_MS_MAX: i64 = 60_000;

/// What becomes of the slots that have passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Each of these creates a job; oldest first.
    pub(super) fire: Vec<i64>,
    /// How many slots create none.
    pub(super) dropped: usize,
    /// The first slot that has not passed.
    pub(super) next_at: Option<i64>,
}

/// Decides over all slots from `first` up to `now`. `after` gives the slot after another.
///
/// Slots that are merely late all fire. Of those that were missed, [`Missed::Skip`] fires none,
/// [`Missed::All`] the last `missed_max`, and [`Missed::Once`] the last one, unless one that is merely late
/// fires in its place.
pub(super) fn plan(first: i64, now: i64, schedule: &NewSchedule, after: impl Fn(i64) -> Option<i64>) -> Plan {
    let keep = match schedule.missed {
        Missed::Skip => 0,
        Missed::Once => 1,
        Missed::All => schedule.missed_max as usize,
    };
    let (mut missed, mut late) = (VecDeque::new(), Vec::new());
    let mut passed = 0;
    let mut next_at = Some(first);
    while let Some(slot) = next_at.filter(|slot| *slot <= now) {
        passed += 1;
        if now - slot <= LATE_MS_MAX {
            late.push(slot);
        } else {
            missed.push_back(slot);
            if missed.len() > keep {
                missed.pop_front();
            }
        }
        next_at = after(slot);
    }
    if schedule.missed == Missed::Once && !late.is_empty() {
        missed.clear();
    }
    let fire: Vec<i64> = missed.into_iter().chain(late).collect();
    Plan { dropped: passed - fire.len(), fire, next_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JsonText;

    const MINUTE: i64 = 60_000;

    fn planned(missed: Missed, now: i64) -> Plan {
        let schedule = NewSchedule {
            missed,
            missed_max: 3,
            ..NewSchedule::new("s", "* * * * *", "h", JsonText::parse("1").unwrap())
        };
        // Every ten minutes from 10 on, up to 100.
        let after = |at: i64| (at < 100 * MINUTE).then_some(at + 10 * MINUTE);
        plan(10 * MINUTE, now, &schedule, after)
    }

    #[test]
    fn each_policy_has_its_slots() {
        use Missed::{All, Once, Skip};
        // policy, now in ms, slots that fire, how many do not, the next, in minutes
        type Row = (Missed, i64, &'static [i64], usize, Option<i64>);
        let table: [Row; 12] = [
            (Skip, 10 * MINUTE - 1, &[], 0, Some(10)),
            (Skip, 10 * MINUTE, &[10], 0, Some(20)),
            (Skip, 11 * MINUTE, &[10], 0, Some(20)),
            (Skip, 11 * MINUTE + 1, &[], 1, Some(20)),
            (Skip, 55 * MINUTE, &[], 5, Some(60)),
            (Skip, 50 * MINUTE + 500, &[50], 4, Some(60)),
            (Once, 11 * MINUTE + 1, &[10], 0, Some(20)),
            (Once, 55 * MINUTE, &[50], 4, Some(60)),
            (Once, 50 * MINUTE + 500, &[50], 4, Some(60)),
            (All, 55 * MINUTE, &[30, 40, 50], 2, Some(60)),
            (All, 50 * MINUTE + 500, &[20, 30, 40, 50], 1, Some(60)),
            (All, 500 * MINUTE, &[80, 90, 100], 7, None),
        ];
        for (missed, now, fire, dropped, next) in table {
            let minutes = |slots: &[i64]| slots.iter().map(|slot| slot / MINUTE).collect::<Vec<_>>();
            let plan = planned(missed, now);
            let seen = (minutes(&plan.fire), plan.dropped, plan.next_at.map(|at| at / MINUTE));
            assert_eq!(seen, (fire.to_vec(), dropped, next), "{missed:?} at {now}");
        }
    }
}
