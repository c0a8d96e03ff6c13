//! What people see of the compiler: which handler is refused and why, and where machine code is kept.

use flowmonkey_tests::program::Folder;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_handler_that_cannot_be_loaded_is_named_with_code_and_reason() {
    let folder = Folder::new();
    folder.handlers(&["email-send"]);
    folder.write("handlers/broken.wasm", b"\0asm\x0d\0\x01\0garbage");
    let mut runner = folder.spawn(&["dev", "handlers"]);
    runner.wait_for_log("runner started");
    let log = runner.log();
    let line = log.lines().find(|line| line.contains("handler refused")).unwrap();
    for part in ["HANDLER_LOAD_FAILED", "broken.wasm", "the component cannot be read: "] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    let mail = r#"{"to": "a@b.example", "subject": "s", "body": "b"}"#;
    folder.done(&["enqueue", "email-send", "--input", mail, "--wait"]);
}

#[test]
fn machine_code_is_kept_where_the_settings_say() {
    let folder = Folder::new();
    folder.handlers(&["email-send"]);
    let arguments = ["dev", "handlers", "--cache-folder", "kept"];
    for _ in 0..2 {
        let mut runner = folder.spawn(&arguments);
        runner.wait_for_log("runner started");
        runner.signal("TERM");
        assert_eq!(runner.wait(), 0, "{}", runner.log());
        assert_eq!(std::fs::read_dir(folder.path().join("kept")).unwrap().count(), 1);
    }
    std::fs::set_permissions(folder.path().join("kept"), Permissions::from_mode(0o755)).unwrap();
    let ran = folder.run(&arguments);
    assert!(ran.code != 0 && ran.stderr.contains("run `chmod 700 kept`"), "{ran:?}");
}
