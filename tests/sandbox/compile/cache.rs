//! What is kept of machine code, and what of that is believed.

use super::{Workshop, handler, sandbox};
use crate::rig::{Run, ending};
use flowmonkey_jobs::sandbox::{ChildCompiler, Compilation, Limits, Sandbox, SandboxConfig};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

fn metered() -> Limits {
    Limits::default()
}

fn unmetered() -> Limits {
    Limits { fuel: None, ..Limits::default() }
}

/// The files of the cache, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// As a program that starts: a sandbox of its own, one component, one attempt.
async fn start(shop: &Workshop, component: &[u8], limits: &Limits) {
    let sandbox = sandbox(shop.cached());
    let prepared = sandbox.prepare(component, limits).unwrap_or_else(|error| panic!("{error}"));
    let report = Run { limits: *limits, ..Run::with("{}") }.on(&sandbox, &prepared).await;
    assert_eq!(ending(&report), "completed", "{:?}", report.outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_compiled_once_is_not_compiled_again() {
    let shop = Workshop::new();
    for (limits, children) in
        [(metered(), 1), (metered(), 1), (unmetered(), 2), (metered(), 2), (unmetered(), 2)]
    {
        start(&shop, &handler(1), &limits).await;
        assert_eq!(shop.count(), children);
    }
    start(&shop, &handler(2), &metered()).await;
    assert_eq!((shop.count(), files(&shop.path("cache")).len()), (3, 3));
}

/// Neither the stack's size nor the pool is in the machine code.
#[tokio::test(flavor = "multi_thread")]
async fn one_entry_serves_every_stack() {
    let shop = Workshop::new();
    for stack_bytes_max in [64, 128, 256, 512, 1024].map(|kib| kib * 1024) {
        for limits in [metered(), unmetered()] {
            start(&shop, &handler(1), &Limits { stack_bytes_max, ..limits }).await;
        }
    }
    assert_eq!((shop.count(), files(&shop.path("cache")).len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_machine_code_is_never_loaded() {
    type Damage = fn(&Path, &Path);
    let damages: &[(&str, Damage)] = &[
        ("empty", |file, _| std::fs::write(file, "").unwrap()),
        ("cut off in its head", |file, _| cut(file, 50)),
        ("cut off by a byte", |file, _| cut(file, std::fs::metadata(file).unwrap().len() - 1)),
        ("longer", |file, _| change(file, |bytes| bytes.push(0))),
        ("of another magic", |file, _| change(file, |bytes| bytes[0] ^= 1)),
        ("of another hash", |file, _| change(file, |bytes| bytes[20] ^= 1)),
        ("of another component", |file, _| change(file, |bytes| bytes[50] ^= 1)),
        ("of another metering", |file, _| change(file, |bytes| bytes[80] ^= 1)),
        ("of another compiler", |file, _| change(file, |bytes| bytes[100] ^= 1)),
        ("flipped in its code", |file, _| change(file, |bytes| *bytes.last_mut().unwrap() ^= 1)),
        ("that of another component", |file, other| assert!(std::fs::copy(other, file).unwrap() > 0)),
        ("for others to write", |file, _| chmod(file, 0o666)),
        ("a symbolic link", |file, other| {
            std::fs::rename(file, file.with_file_name("moved")).unwrap();
            symlink(other, file).unwrap();
        }),
    ];
    let shop = Workshop::new();
    let cache = shop.path("cache");
    start(&shop, &handler(1), &metered()).await;
    let file = files(&cache)[0].clone();
    let whole = std::fs::read(&file).unwrap();
    start(&shop, &handler(2), &metered()).await;
    let other = files(&cache).into_iter().find(|path| *path != file).unwrap();
    for (damage, spoil) in damages {
        let before = shop.count();
        spoil(&file, &other);
        start(&shop, &handler(1), &metered()).await;
        assert_eq!(shop.count(), before + 1, "{damage}: it is compiled anew");
        assert!(file.symlink_metadata().unwrap().is_file(), "{damage}");
        assert_eq!(std::fs::read(&file).unwrap(), whole, "{damage}: and kept again");
        start(&shop, &handler(1), &metered()).await;
        assert_eq!(shop.count(), before + 1, "{damage}");
    }
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(file).unwrap();
    change(&mut bytes);
    std::fs::write(file, bytes).unwrap();
}

fn cut(file: &Path, bytes: u64) {
    std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(bytes).unwrap();
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// An entry under another's name: the machine code that counts no fuel as that which does.
#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_entry_is_noticed() {
    let shop = Workshop::new();
    start(&shop, &handler(1), &unmetered()).await;
    let file = files(&shop.path("cache"))[0].clone();
    let renamed = file.file_name().unwrap().to_str().unwrap().replace("unmetered", "metered");
    std::fs::rename(&file, file.with_file_name(renamed)).unwrap();
    start(&shop, &handler(1), &metered()).await;
    assert_eq!(shop.count(), 2);
}

fn refusal(cache: &Path) -> String {
    let compiler =
        ChildCompiler { cache_folder: Some(cache.to_owned()), ..ChildCompiler::this_program().unwrap() };
    match Sandbox::new(&SandboxConfig::new(Compilation::Child(compiler))) {
        Ok(_) => panic!("{} is taken", cache.display()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_folder_that_is_not_this_users_alone_is_refused() {
    let shop = Workshop::new();
    let folder = shop.path("folder");
    std::fs::create_dir(&folder).unwrap();
    for mode in [0o755, 0o770, 0o701, 0o720, 0o702] {
        chmod(&folder, mode);
        let refused = refusal(&folder);
        assert!(refused.contains("chmod 700") && refused.contains(&format!("{mode:03o}")), "{refused}");
    }
    chmod(&folder, 0o700);
    symlink(&folder, shop.path("link")).unwrap();
    for link in ["link", "link/", "link/."] {
        let refused = refusal(&shop.path(link));
        assert!(refused.contains("no symbolic link"), "{link}: {refused}");
    }
    std::fs::write(shop.path("file"), "").unwrap();
    assert!(refusal(&shop.path("file")).contains("must be a folder"));
    // Only root can give a folder away.
    if std::os::unix::fs::chown(&folder, Some(65_534), None).is_ok() {
        assert!(refusal(&folder).contains("belongs to user 65534"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_made_for_this_user_alone() {
    let shop = Workshop::new();
    let folder = shop.path("a/b");
    let compiler = ChildCompiler { cache_folder: Some(folder.clone()), ..shop.cached() };
    sandbox(compiler).prepare(&handler(1), &metered()).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&files(&folder)[0])), (0o700, 0o600));
}

/// It only saves time, so it may go: before the start, and under way.
#[test]
fn without_a_folder_it_goes_on() {
    let shop = Workshop::new();
    std::fs::write(shop.path("file"), "").unwrap();
    let nowhere = ChildCompiler { cache_folder: Some(shop.path("file/below")), ..shop.cached() };
    sandbox(nowhere).prepare(&handler(1), &metered()).unwrap();
    let sandbox = sandbox(shop.cached());
    std::fs::remove_dir(shop.path("cache")).unwrap();
    for _ in 0..2 {
        sandbox.prepare(&handler(1), &metered()).unwrap();
    }
    assert_eq!(shop.count(), 3, "each compiled anew");
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let shop = Workshop::new();
    let keep = |bytes_max: u64, component: &[u8]| {
        let compiler = ChildCompiler { cache_bytes_max: bytes_max, ..shop.cached() };
        sandbox(compiler).prepare(component, &metered()).unwrap();
    };
    let cache = shop.path("cache");
    keep(u64::MAX, &handler(1));
    let first = files(&cache)[0].clone();
    let bytes = first.metadata().unwrap().len();
    std::fs::write(cache.join("not ours"), vec![0; 2 * bytes as usize]).unwrap();
    std::fs::write(cache.join(".new-1-1"), "left by one that died").unwrap();
    for old in [first.clone(), cache.join(".new-1-1")] {
        let file = std::fs::File::options().write(true).open(old).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(100_000)).unwrap();
    }
    keep(u64::MAX, &handler(2));
    let second = files(&cache).into_iter().find(|path| *path != first && is_kept(path)).unwrap();
    // Using it makes the first the younger of the two.
    keep(u64::MAX, &handler(1));
    let old = std::fs::File::options().write(true).open(&second).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(50_000)).unwrap();
    keep(2 * bytes + bytes / 2, &handler(3));
    assert!(first.exists() && !second.exists() && cache.join("not ours").exists());
    assert!(!cache.join(".new-1-1").exists());
    assert_eq!(files(&cache).iter().filter(|path| is_kept(path)).count(), 2);
    // Nothing that is larger than the whole is kept.
    keep(bytes / 2, &handler(4));
    assert!(files(&cache).iter().filter(|path| is_kept(path)).count() <= 2);
}

fn is_kept(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().contains("metered-")
}
