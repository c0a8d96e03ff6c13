//! What a measure comes to.

use serde_json::{Value, json};

/// One number.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// Which measure it belongs to.
    pub(crate) measure: &'static str,
    /// What was measured.
    pub(crate) name: String,
    pub(crate) value: f64,
    /// `jobs/s`, `µs`, `ms`, `s`, `MB`, `KB`, `bytes` or `×`, which is a ratio of two numbers of this run.
    pub(crate) unit: &'static str,
    pub(crate) goal: Option<Goal>,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    pub(crate) fn new(
        measure: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Figure { measure, name: name.into(), value, unit, goal: None }
    }

    pub(crate) fn goal(self, goal: Goal) -> Self {
        Figure { goal: Some(goal), ..self }
    }

    pub(crate) fn holds(&self) -> Option<bool> {
        Some(match self.goal? {
            Goal::AtLeast(least) => self.value >= least,
            Goal::AtMost(most) => self.value <= most,
        })
    }

    pub(crate) fn json(&self) -> Value {
        let goal = self.goal.map(|goal| match goal {
            Goal::AtLeast(least) => json!({"at_least": least}),
            Goal::AtMost(most) => json!({"at_most": most}),
        });
        json!({"measure": self.measure, "name": self.name, "value": self.value, "unit": self.unit, "goal": goal,
            "holds": self.holds()})
    }

    /// The number with three digits that mean something.
    pub(crate) fn shown(&self) -> String {
        shown(self.value)
    }
}

/// A number with three digits that mean something.
pub(crate) fn shown(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => {
            let digits = format!("{value:.0}");
            let (sign, digits) = digits.strip_prefix('-').map_or(("", &*digits), |digits| ("-", digits));
            let grouped: Vec<&str> = digits
                .as_bytes()
                .rchunks(3)
                .rev()
                .filter_map(|group| std::str::from_utf8(group).ok())
                .collect();
            format!("{sign}{}", grouped.join(","))
        }
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The middle of them; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// So many percent of them are not above it; 0 of none.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_what_matters_of_them() {
        let table = [(0.123, "0.12"), (12.34, "12.3"), (999.6, "1,000"), (1234567.0, "1,234,567")];
        for (value, expected) in table {
            assert_eq!(shown(value), expected);
        }
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([50, 95, 99, 100].map(|percent| percentile(&values, percent)), [50.0, 95.0, 99.0, 100.0]);
        assert_eq!((percentile(&[7.0], 99), percentile(&[], 50)), (7.0, 0.0));
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(vec![])), (2.0, 0.0));
    }

    #[test]
    fn a_goal_is_held_or_missed() {
        let figure = Figure::new("drain", "ratio", 0.4, "×");
        assert_eq!(figure.holds(), None);
        assert_eq!(figure.clone().goal(Goal::AtLeast(0.4)).holds(), Some(true));
        assert_eq!(figure.goal(Goal::AtMost(0.3)).holds(), Some(false));
    }
}
