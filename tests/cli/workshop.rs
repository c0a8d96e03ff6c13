//! `flowmonkey new` and `build` where something is in the way. What they do when all is well, `tests/languages` shows.

use flowmonkey_tests::guests;
use flowmonkey_tests::program::Folder;
use serde_json::json;

const LANGUAGES: [&str; 8] = ["rust", "c", "cpp", "zig", "javascript", "typescript", "python", "go"];

#[test]
fn new_writes_a_whole_folder_or_nothing() {
    let folder = Folder::new();
    folder.write("taken/file", "mine");
    for (name, why) in [("taken", "is there already"), ("Bad", "is no name"), ("../up", "is no name")] {
        let ran = folder.run(&["new", name, "--lang", "rust"]);
        assert!(ran.code == 2 && ran.stderr.contains(why), "{name}: {ran:?}");
    }
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("taken/file")).unwrap(), "mine");

    let ran = folder.run(&["new", "lost", "--lang", "rust", "--into", "taken/file"]);
    assert!(ran.code == 1 && ran.stderr.contains("Not a directory"), "{ran:?}");
    let ran = folder.run(&["new", "x", "--lang", "cobol"]);
    assert!(ran.code == 2 && LANGUAGES.iter().all(|language| ran.stderr.contains(language)), "{ran:?}");
}

/// No file of a template keeps the example's name, or points out of the new folder.
#[test]
fn a_new_folder_stands_alone() {
    let folder = Folder::new();
    for language in LANGUAGES {
        let name = format!("my-{language}");
        assert_eq!(folder.json(&["new", &name, "--lang", language])["name"], name.as_str());
        let mut files = vec![folder.path().join(&name)];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for word in ["starter", "../../../wit", "\"../flowmonkey"] {
                assert!(!text.contains(word), "{} says {word}", path.display());
            }
        }
        let text = |file: &str| std::fs::read_to_string(folder.path().join(&name).join(file)).unwrap();
        assert!(text(".gitignore").contains(".flowmonkey/"), "the store of `dev` is nothing to commit");
        for command in ["flowmonkey build", "flowmonkey test", "flowmonkey dev", "flowmonkey handlers push ."]
        {
            assert!(text("README.md").contains(command), "{name}/README.md: {command}");
        }
    }
}

/// A path without any program, as on a machine that has none of the tools.
#[test]
fn a_missing_tool_is_named_with_what_installs_it() {
    let folder = Folder::new();
    let table = [
        ("rust", "cargo", "rustup"),
        ("c", "zig or by clang", "pip install ziglang=="),
        ("cpp", "zig or by clang", "pip install ziglang=="),
        ("zig", "take zig", "pip install ziglang=="),
        ("javascript", "Node.js", "node"),
        ("typescript", "Node.js", "node"),
        ("python", "componentize-py", ".venv/bin/pip install -r requirements.txt"),
        ("go", "go 1.24", "go.dev/dl"),
    ];
    for (language, tool, install) in table {
        folder.done(&["new", language, "--lang", language]);
        let ran = folder.run_with(&["build", language], &[("PATH", "/nonexistent")]);
        let named =
            ran.stderr.contains(tool) && ran.stderr.contains("to install it") && ran.stderr.contains(install);
        assert!(ran.code == 1 && named, "{language}: {ran:?}");
    }
}

#[test]
fn a_build_that_fails_leaves_the_component() {
    let folder = Folder::new();
    folder.done(&["new", "mail", "--lang", "rust"]);
    let component = guests::example("flaky");
    folder.write("mail/mail.wasm", &component);
    folder.write("mail/src/lib.rs", "fn broken(");
    let ran = folder.run(&["build", "mail"]);
    let told = ran.stderr.contains("unclosed delimiter") && ran.stderr.contains("cargo build");
    assert!(ran.code == 1 && told, "{ran:?}");
    assert_eq!(std::fs::read(folder.path().join("mail/mail.wasm")).unwrap(), component);
}

#[test]
fn what_cannot_be_built_is_told() {
    let folder = Folder::new();
    let cases = [
        ("no such folder", None, "No such file"),
        ("empty", Some(("empty/notes", "")), "holds no source of a handler"),
        ("unnamed", Some(("unnamed/handler.toml", "")), "holds no source of a handler"),
        ("odd", Some(("odd/handler.toml", "concurency = 2")), "did you mean `concurrency`?"),
    ];
    folder.write("odd/main.py", "");
    for (name, file, why) in cases {
        if let Some((path, text)) = file {
            folder.write(path, text);
        }
        let ran = folder.run(&["build", name]);
        assert!(ran.code != 0 && ran.stderr.contains(why), "{name}: {ran:?}");
    }
    folder.write("both/handler.toml", "name = 'both'");
    folder.write("both/main.py", "");
    folder.write("both/main.c", "");
    let ran = folder.run(&["build", "both"]);
    assert!(ran.code == 2 && ran.stderr.contains("--lang says it"), "{ran:?}");
    folder.write("bare/main.py", "");
    let ran = folder.run(&["build", "bare", "--lang", "python"]);
    assert!(ran.code == 2 && ran.stderr.contains("has no handler.toml"), "{ran:?}");
}

/// A component that imports what its manifest does not mention could not be pushed, so it is not built either.
#[test]
fn a_build_is_as_strict_as_a_push() {
    let folder = Folder::new();
    folder.done(&["new", "asking", "--lang", "rust"]);
    let source = "flowmonkey::handler!(run);\nfn run(ctx: &flowmonkey::Context, _: flowmonkey::Value) \
        -> flowmonkey::Result<()> {\n    ctx.idempotency().record(\"k\", &1)?;\n    Ok(())\n}\n";
    folder.write("asking/src/lib.rs", source);
    folder.write("asking/asking.wasm", guests::example("flaky"));
    let ran = folder.run(&["build", "asking"]);
    assert!(ran.code == 1 && ran.stderr.contains("idempotency = true"), "{ran:?}");
    let before = std::fs::read(folder.path().join("asking/asking.wasm")).unwrap();
    assert!(before == guests::example("flaky"), "what was there before is there");
    folder.write("asking/handler.toml", "name = 'asking'\n[grants]\nidempotency = true");
    let built = folder.json(&["build", "asking"]);
    assert_eq!(built["asks"], json!(["idempotency = true"]));

    // A new name is another component; the old one is nobody's.
    folder.write("asking/handler.toml", "name = 'team/asking'\n[grants]\nidempotency = true");
    let built = folder.json(&["build", "asking"]);
    assert_eq!(built["handler"], "team/asking");
    assert!(built["component"].as_str().unwrap().ends_with("/asking/team-asking.wasm"), "{built:#}");
}
