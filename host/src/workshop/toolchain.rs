//! Each language's own tools, called as its people call them.

mod c;
mod go;
mod javascript;
mod python;
mod rust;
mod zig;

use super::world::{self, Imports};
use super::{Fault, Language, Workplace, component};
use std::fs::File;
use std::path::{Path, PathBuf};

/// How much the compiler optimizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Small and quick, with the names of functions.
    Release,
    /// Built quickly, with line numbers in backtraces, where the language makes a difference.
    Debug,
}

/// A component that was just put in its place, and what was there before.
pub(crate) struct Placed {
    pub(crate) path: PathBuf,
    before: Option<Vec<u8>>,
}

impl Placed {
    /// Puts back what was there before.
    pub(crate) fn undo(self) -> Result<(), Fault> {
        match self.before {
            Some(before) => replace(&self.path, &before),
            None => std::fs::remove_file(&self.path).map_err(|why| Fault::io(self.path.display(), why)),
        }
    }
}

/// Builds the component of a handler's folder and puts it where its manifest wants it. What the tools print goes to
/// stderr as it comes. Of two builds of one folder the second waits for the first.
///
/// # Errors
/// A tool that is missing, with the command that installs it; or that a tool failed. What was built before stays.
pub(crate) async fn build(workplace: &Workplace, profile: Profile) -> Result<Placed, Fault> {
    let _turn = turn(workplace).await?;
    let bytes = match workplace.language {
        Language::Rust => rust::build(workplace, profile).await?,
        Language::C | Language::Cpp => c::build(workplace, profile).await?,
        Language::Zig => zig::build(workplace, profile).await?,
        Language::Javascript | Language::Typescript => javascript::build(workplace).await?,
        Language::Python => python::build(workplace).await?,
        Language::Go => go::build(workplace, profile).await?,
    };
    let path = workplace.component();
    let before = std::fs::read(&path).ok();
    replace(&path, &bytes)?;
    Ok(Placed { path, before })
}

/// A file that one build at a time has locked; free again when it is dropped, or its process is gone.
async fn turn(workplace: &Workplace) -> Result<File, Fault> {
    let path = workplace.built("build.lock")?;
    let shown = path.display().to_string();
    let lock = move || {
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    };
    let locked = tokio::task::spawn_blocking(lock).await;
    let locked = locked.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    locked.map_err(|why| Fault::io(shown, why))
}

/// A core module in this file, made into a component.
fn from_module(workplace: &Workplace, path: &Path, profile: Profile) -> Result<Vec<u8>, Fault> {
    let mut module = read(path)?;
    if profile == Profile::Release {
        module = component::without_debug_sections(&module);
    }
    let shape = component::Shape::of(&module)?;
    let wit = world::lay_out(workplace, &Imports::All, shape.describes)?;
    component::encode(module, &shape, &wit)
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|why| Fault::io(path.display(), why))
}

/// At once: whoever watches the file never sees half of it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let beside = path.with_extension("wasm.new");
    let folder = path.parent().unwrap_or(path);
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&beside, bytes))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|why| Fault::io(path.display(), why))
}
