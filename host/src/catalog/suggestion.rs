/// Longer keys are no slip of the hand, and comparing them would cost something.
const KEY_CHARS_MAX: usize = 64;
/// Below this two words have too little in common; 1 is the same word.
const LIKENESS_MIN: f64 = 0.6;

/// The text of an error about TOML. Where it says that a key is unknown and lists those that are known, and one of
/// them is close, it asks whether that was meant instead.
pub fn with_suggestion(error: &str) -> String {
    const EXPECTED: [&str; 2] = ["`, expected one of ", "`, expected "];
    let suggested = || {
        let (_, rest) = error.split_once("unknown field `")?;
        let (found, known) = EXPECTED.iter().find_map(|between| rest.split_once(between))?;
        let known = known.lines().next()?;
        let meant = nearest(found, known.split('`').skip(1).step_by(2))?;
        Some(error.replacen(
            &format!("{found}`, expected"),
            &format!("{found}`, did you mean `{meant}`? Known"),
            1,
        ))
    };
    suggested().unwrap_or_else(|| error.to_owned())
}

fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if found.chars().count() > KEY_CHARS_MAX {
        return None;
    }
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(found, known);
    let all = known.map(|known| (likeness(known), known));
    let best = all.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_recognised_and_a_stranger_is_not() {
        let of = |found| {
            format!("line 1\nunknown field `{found}`, expected one of `name`, `concurrency`, `waits-max`")
        };
        let table =
            [("concurency", Some("concurrency")), ("waits_max", Some("waits-max")), ("nmae", Some("name"))];
        for (found, meant) in table.into_iter().chain([("sockets", None), ("x", None), ("", None)]) {
            let text = with_suggestion(&of(found));
            assert!(text.starts_with(&format!("line 1\nunknown field `{found}`, ")), "{text}");
            let suggestion = meant.map(|meant| format!("did you mean `{meant}`?"));
            assert_eq!(text.contains("did you mean"), suggestion.is_some(), "{text}");
            assert!(suggestion.is_none_or(|suggestion| text.contains(&suggestion)), "{text}");
        }
        assert_eq!(with_suggestion(&of(&"name".repeat(1 << 20))), of(&"name".repeat(1 << 20)));
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        for text in
            ["", "invalid type", "unknown field `", "unknown field `x`", "unknown field `x`, expected"]
        {
            assert_eq!(with_suggestion(text), text);
        }
    }
}
