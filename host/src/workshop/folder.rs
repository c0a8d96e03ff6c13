//! A handler's folder, as a person works in it.

use super::{Fault, Language};
use flowmonkey_jobs::catalog::{Manifest, component_file};
use flowmonkey_jobs::job::check_name;
use std::path::{Path, PathBuf};

const MANIFEST: &str = "handler.toml";
/// Where everything goes that a build makes on its way.
const BUILT: &str = "target";

/// A folder with a handler's source.
#[derive(Debug, Clone)]
pub(crate) struct Workplace {
    /// Absolute, without links.
    pub(crate) folder: PathBuf,
    pub(crate) language: Language,
    /// The handler's name, by its manifest or else its folder.
    pub(crate) name: String,
    pub(super) manifest: Manifest,
}

impl Workplace {
    /// The source in a folder; `None` where there is none.
    pub(crate) fn of(folder: &Path, language: Option<Language>) -> Result<Option<Self>, Fault> {
        let folder = folder.canonicalize().map_err(|why| Fault::io(folder.display(), why))?;
        let detected = match language {
            Some(named) => Some(named),
            None => Language::of(&folder)?,
        };
        let Some(language) = detected else { return Ok(None) };
        let path = folder.join(MANIFEST);
        let bad = |why: String| Fault::BadFolder(format!("{}: {why}", path.display()));
        let manifest = match std::fs::read_to_string(&path) {
            Ok(text) => Manifest::parse(&text).map_err(bad)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let why = format!(
                    "{} has no {MANIFEST}; one line is enough: name = \"my-handler\"",
                    folder.display()
                );
                return Err(Fault::BadFolder(why));
            }
            Err(error) => return Err(Fault::io(path.display(), error)),
        };
        let named_by_folder = folder.file_name().and_then(|name| name.to_str());
        let name = manifest.name().or(named_by_folder).unwrap_or_default().to_owned();
        check_name("handler", &name).map_err(|why| bad(why.to_string()))?;
        Ok(Some(Workplace { folder, language, name, manifest }))
    }

    /// Where the component goes: what the manifest names, else beside it under the handler's name.
    pub(crate) fn component(&self) -> PathBuf {
        match self.manifest.component() {
            Some(path) => self.folder.join(path),
            None => self.folder.join(component_file(&self.name)),
        }
    }

    /// Where a compiler's module goes. Its name is the module's in backtraces.
    pub(super) fn core_module(&self) -> Result<PathBuf, Fault> {
        self.built(&format!("core/{}", component_file(&self.name)))
    }

    /// A path among what the build makes on its way, whose folder is there.
    pub(super) fn built(&self, name: &str) -> Result<PathBuf, Fault> {
        let path = self.folder.join(BUILT).join(name);
        let parent = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(parent).map_err(|why| Fault::io(parent.display(), why))?;
        Ok(path)
    }

    /// A folder of this name here or further up, as tools of many languages look for theirs.
    pub(super) fn nearest(&self, name: &str) -> Option<PathBuf> {
        self.folder.ancestors().map(|folder| folder.join(name)).find(|path| path.is_dir())
    }

    /// The bindings of the language, here or above.
    pub(super) fn bindings(&self) -> Result<PathBuf, Fault> {
        self.nearest("flowmonkey").ok_or_else(|| {
            let folder = self.folder.display();
            Fault::BadFolder(format!(
                "{folder}: there is no folder flowmonkey/ with the bindings, here or above; \
                 `flowmonkey new` writes one"
            ))
        })
    }

    /// Sources of one kind beside the manifest, in order of their names.
    pub(super) fn sources(&self, extension: &str) -> Result<Vec<PathBuf>, Fault> {
        files(&self.folder, extension)
    }
}

/// The files of a folder that end so, in order of their names.
pub(super) fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Fault> {
    let entries = std::fs::read_dir(folder).map_err(|why| Fault::io(folder.display(), why))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == extension) && path.is_file()).collect();
    found.sort();
    Ok(found)
}

/// The handlers' folders in a folder: itself, or those right below it that hold a manifest.
pub(crate) fn handler_folders(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    if folder.join(MANIFEST).is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = std::fs::read_dir(folder).map_err(|why| Fault::io(folder.display(), why))?;
    let mut below: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    below.retain(|path| path.join(MANIFEST).is_file());
    below.sort();
    Ok(below)
}
