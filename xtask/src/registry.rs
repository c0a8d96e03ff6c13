//! A container registry that another project wrote, to publish handlers to: Debian's `docker-registry`. Only its
//! program is fetched, nothing is installed, and the tests start it.

use crate::{Result, shell};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "docker-registry";

/// The tests that need it.
pub(crate) const TESTS: &str = "docker_registry::";

/// Where its program is: on the path, fetched before, or fetched now.
pub(crate) fn program() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folder = shell::root().join("target").join(PACKAGE);
    let fetched = folder.join("usr/bin").join(PACKAGE);
    let mut known = std::env::split_paths(&path).map(|folder| folder.join(PACKAGE)).chain([fetched.clone()]);
    if let Some(found) = known.find(|program| program.is_file()) {
        return Ok(found);
    }
    fetch(&folder)?;
    if fetched.is_file() { Ok(fetched) } else { Err(format!("the package {PACKAGE} holds no such program")) }
}

fn fetch(folder: &Path) -> Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!("there is no {PACKAGE} on the path, and no apt-get to fetch it with"));
    }
    eprintln!("xtask: fetching {PACKAGE}");
    let download = folder.join("download");
    std::fs::create_dir_all(&download).map_err(|error| format!("{}: {error}", download.display()))?;
    let apt = |arguments: &[&str]| {
        shell::output(Command::new("apt-get").current_dir(&download).arg("-qq").args(arguments))
    };
    // Its lists may never have been fetched, or be out of date; only root may do that.
    apt(&["download", PACKAGE]).or_else(|_| apt(&["update"]).and_then(|_| apt(&["download", PACKAGE])))?;
    let entries = std::fs::read_dir(&download).map_err(|error| format!("{}: {error}", download.display()))?;
    let package = entries.flatten().map(|entry| entry.path()).find(|path| path.is_file());
    let package = package.ok_or_else(|| format!("apt-get has not downloaded {PACKAGE}"))?;
    shell::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder))
}
