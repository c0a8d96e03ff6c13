//! Children as processes: what they may reach, when they end, and what is left of them.

use super::{Workshop, alone, compile, compiler, handler, sandbox, seconds};
use flowmonkey_jobs::sandbox::{ChildCompiler, Limits, LoadError, Sandbox};
use flowmonkey_tests::program;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Keeps the compiler busy until it is killed.
fn bomb() -> Vec<u8> {
    flowmonkey_tests::guests::bomb()
}

/// The real compiler, which notes its number first.
fn noting(shop: &Workshop) -> std::path::PathBuf {
    let pid = shop.path("pid");
    shop.script(&format!(
        "echo $$ > {0}.new; mv {0}.new {0}; exec {1} \"$@\"",
        pid.display(),
        program::path().display()
    ))
}

/// The number of a child that is in the middle of compiling.
fn compiling(shop: &Workshop) -> i32 {
    let cpu_ticks = |pid: i32| -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The fields after the name, which may hold anything (proc(5)); the user time is the 14th of all.
        stat.rsplit_once(") ")?.1.split(' ').nth(11)?.parse().ok()
    };
    loop {
        if let Ok(pid) = std::fs::read_to_string(shop.path("pid")) {
            let pid = pid.trim().parse().unwrap();
            if cpu_ticks(pid).is_some_and(|ticks| ticks >= 20) {
                return pid;
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn limits_of(pid: i32) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let soft = |line: &str| Some((line.get(..26)?.trim().to_owned(), line.get(26..47)?.trim().to_owned()));
    text.lines().filter_map(soft).collect()
}

#[test]
fn a_child_is_confined_and_may_be_killed_by_anybody() {
    let shop = Workshop::new();
    let script = noting(&shop);
    let limits = Limits { compile_memory_bytes_max: 3 << 30, ..seconds(77) };
    let refused = std::thread::scope(|scope| {
        let refused = scope.spawn(|| compile(&script, &bomb(), &limits).unwrap_err());
        let pid = compiling(&shop);
        let limits = limits_of(pid);
        for (name, expected) in [
            ("Max cpu time", "77"),
            ("Max address space", "3221225472"),
            ("Max core file size", "0"),
            ("Max file size", "0"),
            ("Max open files", "0"),
            ("Max processes", "0"),
        ] {
            assert_eq!(limits[name], expected, "{name}");
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("Threads:\t1\n"), "{status}");
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        refused.join().unwrap()
    });
    assert!(matches!(refused, LoadError::CompilerDied(_)), "{refused}");
    assert!(refused.to_string().contains("SIGKILL"), "{refused}");
}

/// What a script in the compiler's place finds. Only what this process had from its own parent and was to pass
/// on may be there besides the three lines.
#[test]
fn a_child_inherits_nothing() {
    let shop = Workshop::new();
    std::fs::write(shop.path("secret-file"), "").unwrap();
    let _file = std::fs::File::open(shop.path("secret-file")).unwrap();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let inode = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
    let says = |body: &str| compile(&shop.script(body), &handler(1), &seconds(60)).unwrap_err().to_string();
    let found = says("for each in /proc/$$/fd/*; do readlink $each >&2; done; echo end >&2");
    assert!(found.contains("pipe:[") && found.ends_with("end"), "{found}");
    assert!(!found.contains("secret-file") && !found.contains(inode.to_str().unwrap()), "{found}");
    let found = says("tr '\\0' ' ' < /proc/$$/environ >&2; pwd >&2; echo end >&2");
    assert!(found.ends_with("it wrote: / end"), "{found}");
}

#[test]
fn nothing_is_left_of_children() {
    alone("compile::children::nothing_is_left_of_children", || {
        let shop = Workshop::new();
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let sandbox = sandbox(compiler(&program::path()));
        let before = descriptors();
        sandbox.prepare(&handler(1), &Limits::default()).unwrap();
        sandbox.prepare(&bomb(), &seconds(1)).unwrap_err();
        sandbox.prepare(b"\0asm\x0d\0\x01\0garbage", &Limits::default()).unwrap_err();
        for body in ["exit 0", "cat /dev/zero", "kill -SEGV $$", "sleep 1000 & echo foreign"] {
            compile(&shop.script(body), &handler(1), &seconds(60)).unwrap_err();
        }
        assert_eq!(descriptors(), before);
        assert_eq!(wait(WaitOptions::NOHANG).err(), Some(rustix::io::Errno::CHILD), "there is a child");
    });
}

/// A child of the child is in its group, and goes with it, however the child itself ends.
#[test]
fn what_a_child_started_ends_with_it() {
    let shop = Workshop::new();
    for then in
        ["echo foreign; wait", "echo foreign", "exit 1", "exec >&- 2>&-", "exec >&- 2>&-; kill -KILL $$"]
    {
        let pid = shop.path("pid");
        let body = format!("sleep 1000 > /dev/null 2>&1 & echo $! > {}; {then}", pid.display());
        compile(&shop.script(&body), &handler(1), &seconds(60)).unwrap_err();
        until_gone(std::fs::read_to_string(pid).unwrap().trim().parse().unwrap());
    }
}

/// Gone, or dead and only not yet collected by whoever inherited it.
fn until_gone(pid: i32) {
    let is_there = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    };
    while is_there() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

const SCRIPT: &str = "FLOWMONKEY_TEST_SCRIPT";

#[test]
fn a_child_dies_with_its_parent() {
    if let Some(script) = std::env::var_os(SCRIPT) {
        let _ = compile(Path::new(&script), &bomb(), &seconds(500));
        return;
    }
    let shop = Workshop::new();
    let mut parent = Command::new(std::env::current_exe().unwrap());
    parent.args(["--exact", "compile::children::a_child_dies_with_its_parent"]).env(SCRIPT, noting(&shop));
    let mut parent = parent.stdout(Stdio::null()).process_group(0).spawn().unwrap();
    let child = compiling(&shop);
    parent.kill().unwrap();
    parent.wait().unwrap();
    until_gone(child);
}

/// Each child notes how many are alive as it starts, itself included, and waits until so many have started.
fn counting_those_alive(shop: &Workshop, together: usize) -> std::path::PathBuf {
    let (log, pids, program) = (shop.path("log"), shop.path("pids"), program::path());
    std::fs::create_dir(&pids).unwrap();
    let (log, pids, program) = (log.display(), pids.display(), program.display());
    shop.script(&format!(
        "echo > {pids}/$$; alive=0
         for each in {pids}/*; do kill -0 ${{each##*/}} 2>&1 && alive=$((alive+1)); done > /dev/null
         echo $alive >> {log}
         while [ $(grep -c . {log}) -lt {together} ]; do sleep 0.01; done
         exec {program} \"$@\""
    ))
}

/// The most that were alive at once.
fn at_once(shop: &Workshop) -> usize {
    let log = std::fs::read_to_string(shop.path("log")).unwrap();
    log.lines().map(|line| line.parse().unwrap()).max().unwrap()
}

fn prepare_together(sandbox: &Arc<Sandbox>, numbers: std::ops::Range<usize>) {
    let each = numbers.map(|number| {
        let sandbox = sandbox.clone();
        std::thread::spawn(move || drop(sandbox.prepare(&handler(number), &Limits::default()).unwrap()))
    });
    each.collect::<Vec<_>>().into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn no_more_compile_at_once_than_may() {
    for (allowed, components) in [(1, 4), (2, 6)] {
        let shop = Workshop::new();
        let script = counting_those_alive(&shop, allowed);
        let at_once_max = NonZeroU32::new(allowed as u32).unwrap();
        let sandbox = Arc::new(sandbox(ChildCompiler { at_once: at_once_max, ..compiler(&script) }));
        prepare_together(&sandbox, 0..components);
        assert_eq!(at_once(&shop), allowed);
    }
}

#[test]
fn who_asks_for_the_same_at_once_gets_it_from_one_child() {
    let shop = Workshop::new();
    let sandbox = Arc::new(sandbox(shop.cached()));
    let each = [(); 8].map(|()| {
        let sandbox = sandbox.clone();
        std::thread::spawn(move || drop(sandbox.prepare(&handler(1), &Limits::default()).unwrap()))
    });
    each.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(shop.count(), 1);
}
