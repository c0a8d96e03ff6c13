use super::{Profile, from_module};
use crate::workshop::tool::{self, Missing, Package};
use crate::workshop::{Fault, Workplace};
use tokio::process::Command;

const PACKAGE: Package = Package { apt: "golang", dnf: "golang", pacman: "go", apk: "go", brew: "go" };
/// The first that can make a library for WASI, and takes structures in calls of the host.
const MINOR_MIN: u32 = 24;

pub(super) async fn build(workplace: &Workplace, profile: Profile) -> Result<Vec<u8>, Fault> {
    let missing = |what: String| {
        let install = format!("{}   (or, for the newest: https://go.dev/dl/)", PACKAGE.install());
        Missing::fault(what, install)
    };
    let go = tool::find(&workplace.folder, ".go/bin", "go").ok_or_else(|| {
        missing(format!("handlers in Go take go 1.{MINOR_MIN} or newer, and none is on the path"))
    })?;
    // In the folder: its go.mod may ask for another toolchain, which go then fetches.
    let version = tool::answer_in(&workplace.folder, &go, &["env", "GOVERSION"]).await.unwrap_or_default();
    if !is_new_enough(&version) {
        return Err(missing(format!("handlers in Go take go 1.{MINOR_MIN} or newer; this is {version}")));
    }
    let module = workplace.core_module()?;
    let mut build = Command::new(go);
    build.current_dir(&workplace.folder).env("GOOS", "wasip1").env("GOARCH", "wasm");
    // Names of functions stay, for backtraces; paths of this machine do not, so that builds repeat.
    build.args(["build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o"]).arg(&module).arg(".");
    tool::run(&mut build).await?;
    from_module(workplace, &module, profile)
}

/// Of `go1.26.8`, `go1.27rc1` or `devel go1.28-…`.
fn is_new_enough(version: &str) -> bool {
    let (_, rest) = version.split_once("go1.").unwrap_or_default();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u32>().is_ok_and(|minor| minor >= MINOR_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_form() {
        for version in ["go1.24", "go1.26.8", "go1.27rc1", "devel go1.28-abcdef"] {
            assert!(is_new_enough(version), "{version}");
        }
        for version in ["go1.19.8", "go1.4", "", "go2.0"] {
            assert!(!is_new_enough(version), "{version}");
        }
    }
}
