//! What `parse` refuses, and the words that say what to write instead.

use super::*;

/// A text, and words that the message contains.
const REFUSED: &[(&str, &[&str])] = &[
    ("", &["empty", "`0 3 * * *`"]),
    (" \n", &["empty"]),
    ("0 0 * *", &["4 fields", "minute hour day-of-month month day-of-week"]),
    ("*", &["1 fields"]),
    ("0 0 0 * * *", &["6 fields", "seconds", "not supported"]),
    ("0 0 0 * * * 2026", &["7 fields", "years", "not supported"]),
    ("0 0 * * * /usr/bin/true -a -b", &["8 fields"]),
    ("TZ=UTC 0 0 * * *", &["`TZ=UTC`", "time zone separately"]),
    ("60 0 * * *", &["minute", "`60`", "out of range", "0 to 59"]),
    ("0 24 * * *", &["hour `24` is out of range; write 0 to 23"]),
    ("0 0 0 * *", &["day-of-month", "1 to 31"]),
    ("0 0 32 * *", &["day-of-month", "1 to 31"]),
    ("0 0 1 0 *", &["month", "1 to 12 or jan to dec"]),
    ("0 0 1 13 *", &["month", "1 to 12"]),
    ("0 0 * * 8", &["day-of-week", "0 to 7 or sun to sat"]),
    ("0-60 0 * * *", &["`0-60`", "has 60", "out of range"]),
    ("4294967296 0 * * *", &["out of range"]),
    ("0 22-2 * * *", &["hour `22-2`", "backwards", "`22-23,0-2`"]),
    ("0 23-0 * * *", &["`23,0`"]),
    ("0 22-3/2 * * *", &["`22,0,2`"]),
    ("0 0 * * 6-2", &["`6,0-2`"]),
    ("0 0 * * fri-tue", &["`fri-tue`", "`5-6,0-2`"]),
    ("0 0 * * 7-2", &["`0-2`"]),
    ("0 0 * * 7-4/2", &["`0-4/2`"]),
    ("0 0 * nov-feb *", &["`11-12,1-2`"]),
    ("*/0 * * * *", &["step 0", "1 to 60"]),
    ("*/90 * * * *", &["step", "longer", "1 to 60"]),
    ("*/ * * * *", &["step", "no number"]),
    ("*/2/3 * * * *", &["step", "no number"]),
    ("5/15 * * * *", &["minute `5/15`", "`5-59/15`"]),
    ("0 0 * * mon/2", &["`1-6/2`"]),
    ("0 0 * * 7/2", &["`0-6/2`"]),
    ("1,,2 * * * *", &["`1,,2`", "empty item"]),
    (",1 * * * *", &["empty item"]),
    ("1, 2 * * * *", &["6 fields"]),
    ("1, * * * *", &["empty item"]),
    ("-5 * * * *", &["`-5`", "lacks a value", "0 to 59"]),
    ("1- * * * *", &["lacks a value"]),
    ("1-2-3 * * * *", &["`2-3`"]),
    ("+5 * * * *", &["`+5`", "0 to 59"]),
    ("1.5 * * * *", &["`1.5`"]),
    ("** * * * *", &["`**`"]),
    ("*-5 * * * *", &["`*`"]),
    ("H * * * *", &["`H`", "0 to 59"]),
    ("mon * * * *", &["minute", "`mon`", "0 to 59"]),
    ("0 0 ? * *", &["`?`", "write `*`"]),
    ("0 0 L * *", &["`L`", "28-31", "handler"]),
    ("0 0 L-3 * *", &["`L`", "28-31"]),
    ("0 0 LW * *", &["`W`", "nearest weekday"]),
    ("0 0 15w * *", &["`W`", "nearest weekday"]),
    ("0 0 * * 5L", &["`L`", "28-31"]),
    ("0 0 * * friL", &["`L`", "28-31"]),
    ("0 0 * * 5#2", &["`#`", "nth weekday", "`8-14`"]),
    ("0 0 * * monday", &["`monday`", "write `mon`"]),
    ("0 0 1 September *", &["`September`", "write `sep`"]),
    ("0 0 * * mo", &["`mo`", "sun to sat"]),
    ("0 0 1 foo *", &["`foo`", "jan to dec"]),
    ("0 0 * * jul", &["`jul`", "sun to sat"]),
    ("@reboot", &["`@reboot`", "does not boot"]),
    ("@every 5m", &["`@every`", "`*/5 * * * *`"]),
    ("@fortnightly", &["`@fortnightly`", "@monthly"]),
    ("@daily 3", &["`@daily 3`", "unknown"]),
    ("0 0 * * *\0", &["U+0000"]),
    ("0 0\n* * *", &["U+000A"]),
    ("0 0 * * 1\u{2013}5", &["U+2013", "ASCII"]),
    ("0 0 30 2 *", &["never fires", "month 2 has no day 30"]),
    ("0 0 31 4,6 *", &["never fires", "month 4,6 has no day 31"]),
    ("0 0 30-31 feb */2", &["never fires", "day 30,31"]),
];

#[test]
fn every_refusal_says_what_to_write() {
    let long = "0 0 * * ".to_owned() + &"1,".repeat(130);
    let long: (&str, &[&str]) = (&long, &["268 bytes", "at most 256"]);
    for (text, words) in REFUSED.iter().chain([&long]) {
        let message = match Cron::parse(text) {
            Ok(_) => panic!("{text} is accepted"),
            Err(error) => error.to_string(),
        };
        for word in *words {
            assert!(message.contains(word), "{text}: {message} lacks {word}");
        }
        assert!(message.len() < 600 && !message.contains(char::is_control), "{text}: {message}");
    }
}

#[test]
fn what_a_refusal_proposes_is_accepted() {
    let texts = [
        "22-2 * * * *",
        "23-0/7 * * * *",
        "5/15 * * * *",
        "0 0 * nov-feb *",
        "0 0 * * sat/2",
        "0 0 * * 7-3",
        "0 0 * * wednesday",
        "0 ? * * *",
    ];
    for text in texts {
        let message = Cron::parse(text).unwrap_err().to_string();
        let (_, remedy) = message.split_once("; write `").expect("a remedy");
        let field = message.split('`').nth(1).expect("the field");
        let text = text.replace(field, remedy.trim_end_matches('`'));
        assert!(Cron::parse(&text).is_ok(), "{message}: {text}");
    }
}

#[test]
fn no_text_makes_it_panic() {
    let mut random = Lcg(7);
    let likely: Vec<char> = "0123456789 */,-?LW#@\tsunjafebé\u{0}\u{1F4A3}".chars().collect();
    let mut accepted = 0;
    for round in 0..60_000 {
        let length = random.below(if round % 10 == 0 { 300 } else { 24 });
        let text: String = match round % 3 {
            0 => String::from_utf8_lossy(&(0..length).map(|_| random.below(256) as u8).collect::<Vec<_>>())
                .into_owned(),
            1 => (0..length).map(|_| likely[random.below(likely.len() as u32) as usize]).collect(),
            _ => {
                let shapes = ["*", "*/a", "a", "a-b", "b,a", "a-b/b", "*,a", "a/b"];
                let field = |random: &mut Lcg| {
                    let shape = shapes[random.below(8) as usize];
                    let number = |random: &mut Lcg| random.below(13).to_string();
                    shape.replace('a', &number(random)).replace('b', &number(random)) + " "
                };
                (0..5).map(|_| field(&mut random)).collect()
            }
        };
        if let Ok(cron) = Cron::parse(&text) {
            accepted += 1;
            let start = i64::from(random.below(u32::MAX)) * 1000;
            assert!(cron.after(start, Tz::UTC).is_none_or(|slot| slot > start), "{text}");
        }
    }
    assert!(accepted > 1000, "only {accepted} accepted");
}
