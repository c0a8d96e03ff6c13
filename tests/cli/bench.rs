//! `flowmonkey bench`: that it measures and says so; how much, no test asserts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use flowmonkey_tests::cluster::EmptyPostgres;
use flowmonkey_tests::guests;
use flowmonkey_tests::program::Folder;
use serde_json::Value;

/// The figures of a run, each whole.
fn figures(folder: &Folder, arguments: &[&str]) -> Vec<Value> {
    let ran = folder.run(&[&["bench", "--json", "--jobs", "1000"], arguments].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert!(report["machine"]["cores"].as_u64().unwrap() >= 1);
    let figures = report["figures"].as_array().unwrap().clone();
    assert!(!figures.is_empty());
    for figure in &figures {
        // A part of so few jobs may take less than one of the ticks that are counted.
        let value = figure["value"].as_f64().unwrap();
        assert!(value > 0.0 || (value == 0.0 && figure["measure"] == "account"), "{figure}");
        assert_eq!(figure["goal"].is_null(), figure["holds"].is_null(), "{figure}");
        for key in ["measure", "name", "unit"] {
            assert!(!figure[key].as_str().unwrap().is_empty(), "{figure}");
        }
    }
    figures
}

fn names(figures: &[Value]) -> Vec<&str> {
    figures.iter().map(|figure| figure["name"].as_str().unwrap()).collect()
}

#[test]
fn without_a_server_what_needs_none_is_measured() {
    let folder = Folder::new();
    folder.write("empty.wasm", guests::example("empty"));
    let figures = figures(&folder, &["drain", "density", "--component", "empty.wasm"]);
    assert!(names(&figures).contains(&"sqlite, history kept"), "{figures:?}");
    assert!(names(&figures).iter().all(|name| !name.contains("postgres")), "{figures:?}");
    assert!(figures.iter().any(|figure| figure["measure"] == "density"));
}

#[test]
fn on_a_server_each_measure_has_a_database_of_its_own_and_a_picture() {
    let database = EmptyPostgres::create();
    let folder = Folder::with_database(database.url());
    let figures = figures(&folder, &["drain", "account", "--picture", "picture.svg"]);
    for name in
        ["postgres, history kept", "postgres, retention zero / raw statements", "history kept: sandbox"]
    {
        assert!(names(&figures).contains(&name), "{name}: {figures:?}");
    }
    let picture = std::fs::read_to_string(folder.path().join("picture.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("database: statements"), "{picture}");
    database.execute("do $$ begin if exists (select from pg_tables where tablename = 'fm_jobs') then raise 'used'; end if; end $$");
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_is() {
    let folder = Folder::new();
    folder.write("text.wasm", b"no component");
    let refused: [(&[&str], i32, &str); 5] = [
        (&["bench", "speed"], 2, "possible values: all, attempt"),
        (&["bench", "attempt", "--picture", "p.svg"], 2, "--picture needs the measure `account`"),
        (&["bench", "drain", "--jobs", "1"], 2, "1000"),
        (&["bench", "attempt", "--input", "{"], 2, "--input"),
        (&["bench", "attempt", "--component", "text.wasm"], 1, "component"),
    ];
    for (arguments, code, why) in refused {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
    let folder = Folder::with_database("sqlite:jobs.db");
    let ran = folder.run(&["bench", "drain"]);
    assert!(ran.code == 2 && ran.stderr.contains("name a Postgres server"), "{ran:?}");
}
