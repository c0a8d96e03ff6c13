use flowmonkey_tests::cluster;
use flowmonkey_tests::program::Folder;

#[test]
fn a_database_that_is_away_ends_with_4_and_hides_the_password() {
    // Nothing listens on port 1.
    let folder = Folder::with_database("postgres://app:s3cret@127.0.0.1:1/jobs");
    folder.write("handlers/readme.txt", "");
    for arguments in
        [&["jobs", "list"][..], &["enqueue", "x"], &["migrate"], &["run", "--handlers", "handlers"]]
    {
        let ran = folder.run(arguments);
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(ran.stderr.contains("postgres://app@127.0.0.1:1/jobs"), "{ran:?}");
        assert!(!format!("{ran:?}").contains("s3cret"), "{ran:?}");
    }
}

#[test]
fn a_url_that_is_none_is_bad_input_and_not_repeated() {
    for url in ["mysql://app:s3cret@h/d", "s3cret", "sqlite:"] {
        let ran = Folder::with_database(url).run(&["jobs", "list"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(!format!("{ran:?}").contains("s3cret"), "{ran:?}");
    }
}

#[test]
fn the_environment_names_the_database_but_help_does_not_print_it() {
    let ran = Folder::with_database("postgres://app:s3cret@h/d").run(&["--help"]);
    assert!(!ran.stdout.contains("s3cret"), "{ran:?}");
}

#[test]
fn postgres_is_migrated_when_somebody_says_so() {
    let empty = cluster::EmptyPostgres::create();
    let folder = Folder::with_database(empty.url());
    folder.handlers(&["email-send"]);
    for arguments in [&["jobs", "list"][..], &["enqueue", "x"], &["run", "--handlers", "handlers"]] {
        let ran = folder.run(arguments);
        assert!(ran.code == 4 && ran.stderr.contains("flowmonkey migrate"), "{ran:?}");
    }
    folder.done(&["migrate"]);
    folder.done(&["migrate"]);
    let id = folder.enqueue(&["x"]);
    assert_eq!(folder.json(&["jobs", "show", &id])["status"], "pending");
}

#[test]
fn a_file_of_ones_own_serves_as_a_store() {
    let folder = Folder::with_database("sqlite:some.db");
    let ran = folder.run(&["jobs", "list"]);
    assert!(ran.code == 2 && ran.stderr.contains("some.db"), "{ran:?}");
    folder.done(&["migrate"]);
    folder.enqueue(&["x"]);
    assert!(folder.path().join("some.db").exists());
}
