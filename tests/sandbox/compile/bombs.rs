//! Components that are made to cost the compiler all it can get.

use super::{Workshop, alone, compile, compiler, handler, sandbox, seconds};
use flowmonkey_jobs::catalog::{Catalog, FileProblem, HandlerSettings};
use flowmonkey_jobs::sandbox::{Limits, LoadError};
use flowmonkey_tests::{guests, program};
use std::sync::Arc;

const MIB: usize = 1024 * 1024;
const RUN: &str = "(func (export \"run\") (param i32 i32) (result i32) (i32.const 1024))";

/// Each is nothing; together they are too much.
pub(crate) fn many_functions() -> Vec<u8> {
    let step = "(i32.store (i32.mul (local.get 0) (i32.load (local.get 0))) (i32.const 3))".repeat(12);
    let functions = format!("(func (param i32) {step})").repeat(60_000);
    guests::handler(&format!("{RUN} {functions}"))
}

#[test]
fn a_bomb_is_ended_by_the_clock() {
    for (bomb, name) in [(guests::bomb(), "one"), (many_functions(), "many")] {
        let refused = compile(&program::path(), &bomb, &seconds(1)).unwrap_err();
        assert_eq!(refused, LoadError::CompileTime { max: seconds(1).compile_time_max }, "{name}");
        assert!(refused.to_string().contains("takes longer than 1s"), "{refused}");
    }
}

#[test]
fn a_bomb_is_ended_by_its_memory() {
    for (bomb, name) in [(guests::bomb(), "one"), (many_functions(), "many")] {
        let limits = Limits { compile_memory_bytes_max: 160 * MIB, ..Limits::default() };
        let refused = compile(&program::path(), &bomb, &limits).unwrap_err();
        assert_eq!(refused, LoadError::CompileMemory { max: 160 * MIB }, "{name}");
        assert!(refused.to_string().contains("more than 160.0 MiB"), "{refused}");
    }
}

/// The clock on the wall does not count what a child costs that is stopped and goes on; the processor's does.
#[test]
fn a_bomb_is_ended_by_the_processors_clock() {
    let shop = Workshop::new();
    let script = shop.script(&format!("ulimit -S -t 1; exec {} \"$@\"", program::path().display()));
    let refused = compile(&script, &guests::bomb(), &seconds(500)).unwrap_err();
    assert_eq!(refused, LoadError::CompileTime { max: seconds(500).compile_time_max });
}

#[test]
fn what_is_too_large_is_not_even_started() {
    let shop = Workshop::new();
    let limits = Limits { component_bytes_max: 100, ..Limits::default() };
    let refused = compile(&shop.counting(), &handler(1), &limits).unwrap_err();
    assert!(matches!(refused, LoadError::TooLarge { max: 100, .. }), "{refused}");
    assert_eq!(shop.count(), 0);
    compile(&shop.counting(), &handler(1), &Limits::default()).unwrap();
    assert_eq!(shop.count(), 1);
}

/// Peak of this process's memory, in bytes.
fn peak() -> usize {
    usize::try_from(program::status_kib("VmHWM")).unwrap() * 1024
}

#[test]
fn a_bomb_costs_the_host_nothing() {
    alone("compile::bombs::a_bomb_costs_the_host_nothing", || {
        let bomb = guests::bomb();
        let sandbox = sandbox(compiler(&program::path()));
        sandbox.prepare(&handler(1), &Limits::default()).unwrap();
        let before = peak();
        let limits = Limits { compile_memory_bytes_max: 400 * MIB, ..Limits::default() };
        let refused = sandbox.prepare(&bomb, &limits).unwrap_err();
        assert_eq!(refused, LoadError::CompileMemory { max: 400 * MIB });
        assert!(peak() - before < 8 * MIB, "the host grew by {} bytes", peak() - before);
    });
}

#[tokio::test]
async fn a_bomb_in_a_folder_is_refused_and_the_rest_loads() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    for (name, number) in [("a.wasm", 1), ("b.wasm", 2), ("c.wasm", 3)] {
        put(name, &handler(number));
    }
    let catalog = Catalog::new(Arc::new(sandbox(compiler(&program::path()))));
    let settings = || HandlerSettings { limits: seconds(2), ..HandlerSettings::default() };
    assert_eq!(catalog.load_folder(folder.path(), &settings().into()).await.unwrap().loaded, ["a", "b", "c"]);
    let before = catalog.resolve("b").unwrap();
    put("b.wasm", &guests::bomb());
    let report = catalog.load_folder(folder.path(), &settings().into()).await.unwrap();
    assert_eq!(report.loaded, ["a", "c"]);
    let [refused] = report.refused.as_slice() else { panic!("{report:?}") };
    assert!(matches!(refused.why, FileProblem::Load(LoadError::CompileTime { .. })), "{refused}");
    assert!(refused.to_string().contains("b.wasm: compiling the component takes longer"), "{refused}");
    assert!(Arc::ptr_eq(&before, &catalog.resolve("b").unwrap()), "what had the name stays");
}

/// A file that is larger than a component may be is not read into memory.
#[tokio::test]
async fn a_file_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.wasm"), handler(1)).unwrap();
    std::fs::File::create(folder.path().join("large.wasm")).unwrap().set_len(1 << 40).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero.wasm")).unwrap();
    let catalog = Catalog::new(Arc::new(sandbox(compiler(&program::path()))));
    let report = catalog.load_folder(folder.path(), &HandlerSettings::default().into()).await.unwrap();
    assert_eq!(report.loaded, ["a"]);
    let refused: Vec<String> = report.refused.iter().map(ToString::to_string).collect();
    assert!(refused.iter().all(|why| why.contains("over the limit of 67108864")), "{refused:?}");
    assert!(refused[0].contains("1099511627776"), "{refused:?}");
}
