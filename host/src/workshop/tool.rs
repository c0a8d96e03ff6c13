//! Other people's programs: where they are, what to type where they are not, and running them.

use super::Fault;
use std::ffi::OsStr;
use std::fmt;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::process::Command;

/// A program that a build needs and that is not here.
#[derive(Debug)]
pub(crate) struct Missing {
    /// What is missing, and for what.
    what: String,
    /// What to type.
    install: String,
}

impl Missing {
    pub(super) fn fault(what: impl Into<String>, install: impl Into<String>) -> Fault {
        Fault::Missing(Missing { what: what.into(), install: install.into() })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; to install it:\n  {}", self.what, self.install)
    }
}

/// A program: in `FOLDER/place` here or further up, such as `node_modules/.bin`, else on the path.
pub(super) fn find(folder: &Path, place: &str, name: &str) -> Option<PathBuf> {
    let near = folder.ancestors().map(|above| above.join(place).join(name));
    near.chain(on_path(name)).find(|path| path.is_file())
}

/// Where a program of this name may be on the path.
pub(super) fn on_path(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let name = name.to_owned();
    folders.into_iter().map(move |folder| folder.join(&name)).filter(|path| path.is_file())
}

/// A path as a shell takes it, whatever is in it.
pub(super) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c));
    if plain { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// Whether packages come by apt.
pub(super) fn is_debian() -> bool {
    Path::new("/etc/debian_version").is_file()
}

/// How this system installs a package that has another name in each of its families.
pub(super) struct Package {
    /// Debian, Ubuntu.
    pub(super) apt: &'static str,
    /// Fedora, Red Hat.
    pub(super) dnf: &'static str,
    /// Arch.
    pub(super) pacman: &'static str,
    /// Alpine.
    pub(super) apk: &'static str,
    /// macOS.
    pub(super) brew: &'static str,
}

impl Package {
    pub(super) fn install(&self) -> String {
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        self.install_on(std::env::consts::OS, &release)
    }

    fn install_on(&self, system: &str, os_release: &str) -> String {
        if system == "macos" {
            return format!("brew install {}", self.brew);
        }
        let is = |family: &str| {
            let ids = os_release
                .lines()
                .filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")));
            ids.flat_map(|ids| ids.trim_matches('"').split(' ')).any(|id| id == family)
        };
        if is("debian") || is("ubuntu") {
            format!("sudo apt-get install {}", self.apt)
        } else if is("fedora") || is("rhel") {
            format!("sudo dnf install {}", self.dnf)
        } else if is("arch") {
            format!("sudo pacman -S {}", self.pacman)
        } else if is("alpine") {
            format!("sudo apk add {}", self.apk)
        } else {
            format!("your system's package {}", self.apt)
        }
    }
}

/// Runs a program to its end. What it prints goes to stderr as it comes, since stdout is for results.
pub(super) async fn run(command: &mut Command) -> Result<(), Fault> {
    let stderr = std::io::stderr().as_fd().try_clone_to_owned().map_err(|why| Fault::io("stderr", why))?;
    command.stdin(Stdio::null()).stdout(stderr).kill_on_drop(true);
    let status = command.status().await.map_err(|why| Fault::io(shown(command), why))?;
    if status.success() { Ok(()) } else { Err(failed(command, status)) }
}

/// Runs a program to its end for what it writes to stdout; what it writes to stderr is seen as it comes.
pub(super) async fn output(command: &mut Command) -> Result<Vec<u8>, Fault> {
    // Not `output`, which would take stderr as well.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(|why| Fault::io(shown(command), why))?;
    let ended = child.wait_with_output().await;
    let Output { status, stdout, .. } = ended.map_err(|why| Fault::io(shown(command), why))?;
    if status.success() { Ok(stdout) } else { Err(failed(command, status)) }
}

/// The first line that a program prints when asked something, such as its version; `None` when it does not answer.
pub(super) async fn answer(program: &Path, arguments: &[&str]) -> Option<String> {
    answer_in(Path::new("."), program, arguments).await
}

/// As [`answer`], asked in a folder.
pub(super) async fn answer_in(folder: &Path, program: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn failed(command: &Command, status: std::process::ExitStatus) -> Fault {
    Fault::Failed(format!("{} ended with {status}; its words are above", shown(command)))
}

/// The program and its first words: what comes then is our own.
fn shown(command: &Command) -> String {
    let command = command.as_std();
    let name = Path::new(command.get_program()).file_name().unwrap_or_else(|| command.get_program());
    let words = std::iter::once(name).chain(command.get_args().take(2));
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO: Package = Package { apt: "golang", dnf: "golang", pacman: "go", apk: "go", brew: "go" };

    #[test]
    fn each_system_has_its_own_command() {
        let table = [
            ("linux", "ID=debian\n", "sudo apt-get install golang"),
            ("linux", "NAME=x\nID=pop\nID_LIKE=\"ubuntu debian\"\n", "sudo apt-get install golang"),
            ("linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "sudo dnf install golang"),
            ("linux", "ID=arch\n", "sudo pacman -S go"),
            ("linux", "ID=alpine\n", "sudo apk add go"),
            ("linux", "", "your system's package golang"),
            ("macos", "", "brew install go"),
        ];
        for (system, release, expected) in table {
            assert_eq!(GO.install_on(system, release), expected, "{release}");
        }
    }

    #[test]
    fn a_path_is_quoted_where_it_must() {
        for (path, expected) in [("/a/b-c.d", "/a/b-c.d"), ("/a b", "'/a b'"), ("it's", r"'it'\''s'")] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }

    #[tokio::test]
    async fn a_failure_names_the_program() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).await.unwrap_err().to_string();
        assert!(error.starts_with("sh -c exit 3 ended with exit status: 3"), "{error}");
        let error = run(&mut Command::new("/nonexistent/tool")).await.unwrap_err().to_string();
        assert!(error.contains("tool: No such file"), "{error}");
    }
}
