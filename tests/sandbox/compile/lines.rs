//! Children that say the wrong thing, or nothing, or die.

use super::{ARGUMENT, GREETING_BYTES, Workshop, compile, handler, seconds};
use flowmonkey_jobs::sandbox::{Limits, LoadError};
use flowmonkey_tests::program;
use std::path::Path;
use std::process::{Command, Stdio};

fn refusal(program: &Path, component: &[u8]) -> LoadError {
    compile(program, component, &seconds(60)).unwrap_err()
}

/// Writes the real greeting to a file, and returns a script's line that prints it.
fn greets(shop: &Workshop) -> String {
    let orders = [ARGUMENT, "true", "1000000000", "10", "1"];
    let real = Command::new(program::path()).args(orders).stdin(Stdio::null()).output().unwrap();
    std::fs::write(shop.path("greeting"), &real.stdout[..GREETING_BYTES]).unwrap();
    format!("cat {}", shop.path("greeting").display())
}

#[test]
fn a_program_that_is_no_compiler_is_named_with_the_remedy() {
    let shop = Workshop::new();
    for body in ["exit 0", "exit 3", "echo Usage: something", "cat", "cat /dev/zero", "printf flowmonkey-co"]
    {
        let refused = refusal(&shop.script(body), &handler(1)).to_string();
        assert!(refused.contains("compile_if_asked"), "{body}: {refused}");
        assert!(refused.contains(shop.path("script").to_str().unwrap()), "{body}: {refused}");
    }
    let refused = refusal(&shop.script("echo where am I >&2; exit 1"), &handler(1)).to_string();
    assert!(refused.contains("it wrote: where am I"), "{refused}");
    let refused = refusal(&shop.path("nowhere"), &handler(1)).to_string();
    assert!(refused.contains("nowhere") && refused.contains("No such file"), "{refused}");
}

#[test]
fn an_older_program_is_told_apart() {
    let shop = Workshop::new();
    let greets = greets(&shop);
    let mut greeting = std::fs::read(shop.path("greeting")).unwrap();
    greeting[GREETING_BYTES - 1] ^= 1;
    std::fs::write(shop.path("greeting"), greeting).unwrap();
    let refused = refusal(&shop.script(&format!("{greets}; exec sleep 1000")), &handler(1)).to_string();
    assert!(refused.contains("another version"), "{refused}");
    let other_arguments = format!("exec {} {ARGUMENT} something else", program::path().display());
    let refused = refusal(&shop.script(&other_arguments), &handler(1)).to_string();
    assert!(refused.contains("its arguments are not those of this version"), "{refused}");
}

#[test]
fn a_child_that_dies_is_refused_with_its_end_and_last_words() {
    let shop = Workshop::new();
    let greets = greets(&shop);
    let table = [
        ("exit 3", "exit status: 3"),
        ("echo the last >&2; exit 101", "exit status: 101; it wrote: the last"),
        ("kill -SEGV $$", "signal: 11 (SIGSEGV)"),
        ("kill -KILL $$", "signal: 9 (SIGKILL)"),
        ("printf '\\000\\003\\000\\000'; exit 0", "exit status: 0"),
        ("printf '\\000\\003\\000\\000\\000\\000\\000\\000\\000ab'", "exit status: 0"),
        ("printf 'a\\033[2Jb' >&2; exit 1", "it wrote: a [2Jb"),
    ];
    for (body, expected) in table {
        let refused = refusal(&shop.script(&format!("{greets}; {body}")), &handler(1));
        assert!(matches!(refused, LoadError::CompilerDied(_)), "{body}: {refused}");
        assert!(refused.to_string().contains(expected), "{body}: {refused}");
    }
    let much = format!("{greets}; head -c 3000000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 1");
    let refused = refusal(&shop.script(&much), &handler(1)).to_string();
    assert!(refused.ends_with("xend") && refused.len() < 1200, "{} bytes", refused.len());
}

#[test]
fn an_allocation_that_fails_is_told_as_memory() {
    let shop = Workshop::new();
    let body = format!("{}; echo memory allocation of 99 bytes failed >&2; kill -ABRT $$", greets(&shop));
    let refused = refusal(&shop.script(&body), &handler(1));
    let max = Limits::default().compile_memory_bytes_max;
    assert_eq!(refused, LoadError::CompileMemory { max });
    let refused = refusal(&shop.script(&format!("{}; kill -ABRT $$", greets(&shop))), &handler(1));
    assert!(matches!(refused, LoadError::CompilerDied(_)), "{refused}");
}

#[test]
fn what_a_child_writes_is_bounded() {
    let shop = Workshop::new();
    let greets = greets(&shop);
    // Announces 2^56 bytes and more, and begins.
    let endless =
        format!("{greets}; printf '\\000\\000\\000\\000\\000\\000\\000\\000\\001'; exec cat /dev/zero");
    let refused = refusal(&shop.script(&endless), &handler(1));
    assert!(refused.to_string().contains("bytes of machine code"), "{refused}");
    let message =
        format!("{greets}; printf '\\001\\001\\020\\000\\000\\000\\000\\000\\000'; exec cat /dev/zero");
    assert!(compile(&shop.script(&message), &handler(1), &seconds(60)).is_err());
    // More than it announces is no answer either.
    let more =
        format!("{greets}; printf '\\000\\001\\000\\000\\000\\000\\000\\000\\000xyz'; exec sleep 1000");
    assert!(matches!(refusal(&shop.script(&more), &handler(1)), LoadError::Compiler(_)));
}

#[test]
fn machine_code_that_is_none_is_not_loaded() {
    let shop = Workshop::new();
    let greets = greets(&shop);
    for body in [
        "printf '\\000\\000\\000\\000\\000\\000\\000\\000\\000'",
        "printf '\\000\\004\\000\\000\\000\\000\\000\\000\\000\\177ELF'",
    ] {
        let refused = refusal(&shop.script(&format!("{greets}; {body}")), &handler(1)).to_string();
        assert!(refused.contains("its machine code cannot be loaded"), "{body}: {refused}");
    }
}

/// Neither one that reads nothing, nor one that says nothing, nor one that closes its lines and stays.
#[test]
fn a_child_that_does_nothing_is_ended_by_the_clock() {
    let shop = Workshop::new();
    let greets = greets(&shop);
    let large = [handler(1), custom_section(1 << 20)].concat();
    for body in [
        "exec sleep 1000".to_owned(),
        format!("{greets}; exec sleep 1000"),
        format!("{greets}; printf '\\000\\003\\000'; exec sleep 1000"),
        format!("{greets}; cat > /dev/null; exec sleep 1000"),
        format!("{greets}; exec 0<&-; exec sleep 1000"),
    ] {
        let script = shop.script(&format!("echo $$ > {}; {body}", shop.path("pid").display()));
        let refused = compile(&script, &large, &seconds(1)).unwrap_err();
        assert!(matches!(refused, LoadError::CompileTime { .. }), "{body}: {refused}");
        let pid = std::fs::read_to_string(shop.path("pid")).unwrap();
        assert!(!Path::new("/proc").join(pid.trim()).exists(), "{body}: it is still there");
    }
    let closes = format!("{greets}; exec >&- 2>&-; exec sleep 1000");
    let refused = refusal(&shop.script(&closes), &large);
    assert!(refused.to_string().contains("did not end"), "{refused}");
}

/// What a component may carry along that means nothing.
fn custom_section(bytes: u32) -> Vec<u8> {
    let leb = |mut number: u32| {
        let mut encoded = Vec::new();
        while number >= 128 {
            encoded.push(number as u8 | 128);
            number >>= 7;
        }
        encoded.push(number as u8);
        encoded
    };
    [&[0][..], &leb(bytes + 2), b"\x01x", &vec![0; bytes as usize]].concat()
}
