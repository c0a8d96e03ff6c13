//! `handler.test.toml`, as people and CI meet it.

use super::{ASKS_FOR_ALL, probe, refused};
use serde_json::json;

const HOLDING: &str = r#"
[[case]]
name = "echoes"
input = { do = "echo", n = 1 }
expect = { outcome = "success", result = { do = "echo", n = 1.0 } }
[[case]]
name = "echoes a file"
input-file = "big.json"
expect = { outcome = "success", result-json = '{"do": "echo", "nothing": null}' }
[[case]]
name = "goes on from what was saved"
input = { do = "checkpoints", steps = [["restore", "n"], ["save", "n", "2"], ["delete", "m"]] }
attempt = 2
checkpoint = { n = 1, m = "gone" }
expect = { outcome = "success", result = ["1", "saved", "deleted"], checkpoint = { n = 2 } }
[[case]]
name = "fails by its code"
input = { do = "fatal", code = "BAD", text = "the name is empty" }
expect = { outcome = "fatal", code = "BAD", message = "is empty" }
[[case]]
name = "waits"
input = { do = "wait-until-resumed" }
expect = { outcome = "wait" }
[[case]]
name = "is resumed"
input = { do = "wait-until-resumed" }
resumed-with = { paid = true }
expect = { outcome = "success", result = { paid = true } }
[[case]]
name = "stops when it is told"
input = { do = "beat-until-told" }
directive = "cancel"
expect = { outcome = "cancelled" }
[[case]]
name = "reads what is set"
input = { do = "config", keys = ["region"] }
config = { region = "eu" }
expect = { outcome = "success", logs = [] }
[[case]]
name = "creates a job"
input = { do = "queue", steps = [{ handler = "other" }] }
expect = { outcome = "success", enqueued = 1 }
[[case]]
name = "may create none"
input = { do = "queue", steps = [{ handler = "other" }] }
deny = ["queue"]
expect = { outcome = "success", enqueued = 0 }
[[case]]
name = "says what it does"
input = { do = "log", n = 1, text = "greeting" }
expect = { outcome = "success", logs = ["info greeting n=0"] }
[[case]]
name = "traps"
input = { do = "panic", text = "oh no" }
expect = { outcome = "retryable", code = "TRAP", message = "oh no" }
"#;

#[test]
fn cases_that_hold_pass() {
    let folder = probe(ASKS_FOR_ALL);
    folder.write("big.json", "{\"do\": \"echo\", \"nothing\": null}");
    folder.write("handler.test.toml", HOLDING);
    let ran = folder.run(&["test"]);
    assert!(ran.code == 0 && ran.stdout.ends_with("\n12 passed, 0 failed\n"), "{ran:?}");
    assert!(
        !ran.stdout.contains("FAILED") && ran.stdout.contains(" ms  goes on from what was saved\n"),
        "{ran:?}"
    );
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    let picked = folder.run(&["test", "--case", "waits", "--case", "traps"]);
    assert!(picked.code == 0 && picked.stdout.ends_with("\n2 passed, 0 failed\n"), "{picked:?}");
    let report = folder.json(&["test", "--case", "is resumed"]);
    assert_eq!((&report["passed"], &report["failed"]), (&json!(1), &json!(0)));
    assert_eq!(report["cases"][0]["attempt"]["result"], json!({"paid": true}));
    // An input of one's own goes past the cases.
    let one = folder.run(&["test", "--input", "{\"do\": \"echo\"}"]);
    assert!(
        one.code == 0 && one.stdout.contains("{\"do\":\"echo\"}") && !one.stdout.contains("passed"),
        "{one:?}"
    );
}

#[test]
fn a_case_that_does_not_hold_fails_and_shows_both_sides() {
    let folder = probe("");
    folder.write(
        "handler.test.toml",
        r#"
        [[case]]
        name = "holds"
        input = { do = "runs" }
        expect = { outcome = "success", result = 1 }
        [[case]]
        name = "says another thing"
        input = { do = "echo", n = 1 }
        expect = { outcome = "success", result = { do = "echo", n = 2 } }
        [[case]]
        name = "succeeds"
        input = { do = "panic", text = "oh no", say = "last words" }
        expect = { outcome = "success" }
        [[case]]
        name = "logs"
        input = { do = "log", n = 1, text = "greeting" }
        expect = { outcome = "success", logs = ["farewell"] }
        "#,
    );
    let ran = folder.run(&["test"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for part in [
        "\nok      success ",
        " ms  holds\n",
        "\nFAILED  retryable ",
        "\nFAILED  says another thing\n",
        "expected  {\"do\":\"echo\",\"n\":2}",
        "came      {\"do\":\"echo\",\"n\":1}, which differs at /n",
        "expected  success",
        "came      retryable TRAP",
        "warn   last words",
        "expected  farewell",
        "came      no such line among 1",
        "info   greeting  n=0",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} is not in {}", ran.stdout);
    }
    assert!(ran.stdout.ends_with("\n1 passed, 3 failed\n"), "{}", ran.stdout);
    let ran = folder.run(&["test", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &report["failed"], &report["cases"][0]["ok"]), (1, &json!(3), &json!(true)));
    let miss = json!({"what": "logs", "expected": "farewell", "came": "no such line among 1"});
    assert_eq!(report["cases"][3]["misses"], json!([miss]));
}

#[test]
fn a_file_of_cases_that_makes_no_sense_is_told_where() {
    let folder = probe("");
    let refusal = |text: &str, arguments: &[&str], expected: &str| {
        folder.write("handler.test.toml", text);
        refused(&folder.run(&[&["test"], arguments].concat()), expected);
    };
    let case = "[[case]]\nname = \"one\"\nexpect = { outcome = \"success\" }\n";
    refusal("", &[], "handler.test.toml: it has no [[case]]");
    let slip = format!("{case}inptu = 1");
    refusal(&slip, &[], "./handler.test.toml: case \"one\": TOML parse error at line 4");
    refusal(&slip, &[], "did you mean `input`?");
    refusal(case, &["--case", "two"], "there is no case \"two\"; there are \"one\"");
    refusal(case, &["--attempt", "2"], "--attempt is for one attempt");
    refusal(case, &["--case", "one", "--input", "1"], "cannot be used with");
    let wrong = format!("{case}answers = [{{ url = \"nowhere\" }}]");
    refusal(&wrong, &[], "case \"one\": the answer for \"nowhere\"");
}
