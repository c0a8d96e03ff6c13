//! `cargo xtask test` and `fuzz`: everything the suites need, then them.

use crate::postgres::{Durable, Postgres};
use crate::{Result, bindings, cells, guests, languages, registry, shell, toolchains, valgrind};

pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let handlers = guests::build_for_tests()?;
    let postgres = match std::env::var("DATABASE_URL") {
        Ok(_) => None,
        Err(_) => Some(Postgres::start(Durable::No)?),
    };
    let program = shell::build_program()?;
    let toolchains = toolchains::all();
    let skipped = languages::build(&program, &toolchains, &handlers.join("languages"))?;
    let mut test = shell::cargo();
    test.args(["test", "--release", "--locked", "--workspace"])
        .args(arguments)
        .env("FLOWMONKEY_GUESTS", handlers)
        .env("FLOWMONKEY_PROGRAM", program);
    toolchains::offer(&toolchains, &mut test);
    if let Some(postgres) = &postgres {
        test.env("DATABASE_URL", postgres.url());
    }
    let mut left_out: Vec<(String, String)> =
        skipped.into_iter().map(|one| (one.tests(), format!("{}: {}", one.language, one.why))).collect();
    match registry::program() {
        Ok(program) => drop(test.env("FLOWMONKEY_REGISTRY", program)),
        Err(why) => left_out.push((registry::TESTS.into(), why)),
    }
    if let Err(why) = valgrind::provide() {
        left_out.push((valgrind::TESTS.into(), why));
    }
    if !left_out.is_empty() && !arguments.iter().any(|argument| argument == "--") {
        test.arg("--");
    }
    for (tests, _) in &left_out {
        test.args(["--skip", tests]);
    }
    cells::clear();
    shell::run(&mut test)?;
    cells::print()?;
    if arguments.is_empty() {
        bindings::check(&toolchains)?;
    }
    for (tests, why) in &left_out {
        eprintln!("xtask: skipped the tests `{tests}`: {why}");
    }
    Ok(())
}

/// Fuzzes each target in turn, from its seeds, for so many seconds. What it finds lies in
/// `tests/fuzz/artifacts`, to become a seed.
pub(crate) fn fuzz(seconds: &str) -> Result<()> {
    let folder = shell::root().join("tests/fuzz");
    let targets = std::fs::read_dir(folder.join("targets")).map_err(|error| error.to_string())?;
    for target in targets {
        let path = target.map_err(|error| error.to_string())?.path();
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // What it learns is kept apart from the seeds, which are committed.
        let corpus = folder.join("target/corpus").join(&name);
        std::fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
        let mut fuzz = shell::cargo();
        fuzz.current_dir(&folder)
            // Coverage needs options of the compiler that are not stable; wasmtime handles its own signals.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["fuzz", "run", "--fuzz-dir", ".", "--sanitizer", "none", &name])
            .args([corpus, folder.join("seeds").join(&name)])
            .args(["--", &format!("-max_total_time={seconds}"), "-rss_limit_mb=4096", "-timeout=60"]);
        shell::run(&mut fuzz)?;
    }
    Ok(())
}
