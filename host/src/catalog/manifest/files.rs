//! A handler's files: the manifest, the component and the schemas it names.

use super::Manifest;
use crate::catalog::FileProblem;
use crate::job::{JsonText, check_name};
use crate::sandbox::LoadError;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file beside a handler's code that says what it may use.
pub(in crate::catalog) const FILE_NAME: &str = "handler.toml";
/// A larger one is a mistake, or an attempt to fill memory.
const BYTES_MAX: usize = 64 * 1024;
const SIGNATURE_BYTES_MAX: usize = 1024;
/// The largest JSON Schema, in bytes.
pub const SCHEMA_BYTES_MAX: usize = 256 * 1024;

/// A handler as it lies in a folder; its component is not read yet.
#[derive(Debug, Clone)]
pub struct HandlerFiles {
    /// The manifest's name for it, else its folder's or its component's.
    pub name: String,
    /// Its manifest; the empty one where there is none.
    pub manifest: Manifest,
    /// The manifest as it was written; empty where there is none.
    pub manifest_text: String,
    /// Where its component is.
    pub component: PathBuf,
    /// The schemas that its manifest names.
    pub schemas: WrittenSchemas,
    /// The signature beside the component, in a file of its name with `.sig` behind it.
    pub signature: Option<String>,
}

/// JSON Schemas as they are written, before they are compiled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WrittenSchemas {
    /// Of a job's input.
    pub input: Option<Value>,
    /// Of a job's result.
    pub output: Option<Value>,
    /// Of the configuration, an object of texts.
    pub config: Option<Value>,
}

impl WrittenSchemas {
    /// From an object with any of `input`, `output` and `config`.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_json(text: &JsonText) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text.as_str()).map_err(|error| error.to_string())?;
        let Value::Object(mut schemas) = value else { return Err("the schemas are no JSON object".into()) };
        let mut take = |what| schemas.remove(what);
        Ok(WrittenSchemas { input: take("input"), output: take("output"), config: take("config") })
    }

    /// What is absent here is taken from `below`.
    pub fn over(self, below: WrittenSchemas) -> Self {
        WrittenSchemas {
            input: self.input.or(below.input),
            output: self.output.or(below.output),
            config: self.config.or(below.config),
        }
    }
}

impl HandlerFiles {
    /// A folder with a `handler.toml`.
    ///
    /// # Errors
    /// Names the file or the manifest's key, and what is wrong with it.
    pub fn of_folder(folder: &Path) -> Result<Self, FileProblem> {
        let (manifest, text) = read_manifest(folder)?;
        let named_by_folder = folder.file_name().and_then(|name| name.to_str());
        let name = manifest.name().or(named_by_folder).ok_or(FileProblem::Name)?.to_owned();
        check_name("handler", &name)?;
        let component = match manifest.component() {
            Some(path) => inside(folder, "component", path)?,
            None => own_component(folder, &name)?,
        };
        let schema = |key, path: Option<&Path>| path.map(|path| read_schema(folder, key, path)).transpose();
        let schemas = WrittenSchemas {
            input: schema("input-schema", manifest.input_schema())?,
            output: schema("output-schema", manifest.output_schema())?,
            config: schema("config-schema", manifest.config_schema())?,
        };
        let signature = signature_of(&component)?;
        Ok(HandlerFiles { name, manifest, manifest_text: text, component, schemas, signature })
    }

    /// A component alone, which its file's name names.
    ///
    /// # Errors
    /// When that is no name for a handler.
    pub fn of_component(path: &Path) -> Result<Self, FileProblem> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or(FileProblem::Name)?;
        check_name("handler", name)?;
        Ok(HandlerFiles {
            name: name.to_owned(),
            manifest: Manifest::default(),
            manifest_text: String::new(),
            component: path.to_owned(),
            schemas: WrittenSchemas::default(),
            signature: signature_of(path)?,
        })
    }

    /// The component's bytes.
    ///
    /// # Errors
    /// When there are more than `bytes_max`, of which nothing is read, or the file cannot be read.
    pub fn read_component(&self, bytes_max: usize) -> Result<Vec<u8>, FileProblem> {
        let too_large = |bytes| LoadError::TooLarge { bytes, max: bytes_max }.into();
        read_limited(&self.component, bytes_max, too_large)
    }
}

fn read_manifest(folder: &Path) -> Result<(Manifest, String), FileProblem> {
    let max = BYTES_MAX;
    let too_large = |bytes| FileProblem::manifest(format!("has {bytes} bytes, over the limit of {max}"));
    let text = read_limited(&folder.join(FILE_NAME), max, too_large)?;
    let text = String::from_utf8(text).map_err(|error| FileProblem::manifest(error.to_string()))?;
    let manifest = Manifest::parse(&text).map_err(FileProblem::manifest)?;
    Ok((manifest, text))
}

/// The file that a key of the manifest names. A link may lead to it, but not out of the folder.
fn inside(folder: &Path, key: &str, path: &Path) -> Result<PathBuf, FileProblem> {
    let of = |why: String| FileProblem::manifest(format!("{key} = \"{}\": {why}", path.display()));
    let real = folder.join(path).canonicalize().map_err(|error| of(error.to_string()))?;
    if !real.starts_with(folder.canonicalize()?) {
        return Err(of("leads out of the manifest's folder".into()));
    }
    if real.is_file() { Ok(real) } else { Err(of("is no file".into())) }
}

fn signature_of(component: &Path) -> Result<Option<String>, FileProblem> {
    let path = signature_path(component);
    if !path.is_file() {
        return Ok(None);
    }
    let too_large = |bytes| FileProblem::Signature(format!("in {} bytes is none", bytes));
    let bytes = read_limited(&path, SIGNATURE_BYTES_MAX, too_large)?;
    Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
}

/// Where a component's signature is, if it has one.
pub(in crate::catalog) fn signature_path(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn read_schema(folder: &Path, key: &str, path: &Path) -> Result<Value, FileProblem> {
    let of = |why: String| FileProblem::manifest(format!("{key} = \"{}\": {why}", path.display()));
    let file = inside(folder, key, path)?;
    let max = SCHEMA_BYTES_MAX;
    let too_large = |bytes| of(format!("has {bytes} bytes, over the limit of {max}"));
    let bytes = read_limited(&file, max, too_large)?;
    let text = String::from_utf8(bytes).map_err(|error| of(error.to_string()))?;
    let json = JsonText::parse_limited(&text, max).map_err(|error| of(error.to_string()))?;
    serde_json::from_str(json.as_str()).map_err(|error| of(error.to_string()))
}

/// The component under the handler's name, which a build has left; else the only one.
fn own_component(folder: &Path, name: &str) -> Result<PathBuf, FileProblem> {
    let own = folder.join(component_file(name));
    if own.is_file() { Ok(own) } else { only_component(folder) }
}

/// What a handler's component is called beside its manifest, unless that says otherwise: its name, in letters that a file's name
/// may have everywhere.
pub fn component_file(name: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let stem: String = name.chars().map(kept).collect();
    format!("{}.wasm", stem.trim_start_matches('.'))
}

fn only_component(folder: &Path) -> Result<PathBuf, FileProblem> {
    let mut components = sorted(folder)?;
    components.retain(|path| is_component(path));
    let count = components.len();
    match components.pop() {
        Some(component) if count == 1 => Ok(component),
        _ => Err(FileProblem::Components(count)),
    }
}

/// A file's bytes, if it has no more than so many; what is too large is not even read.
fn read_limited(
    path: &Path,
    bytes_max: usize,
    too_large: impl Fn(usize) -> FileProblem,
) -> Result<Vec<u8>, FileProblem> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(too_large(length));
    }
    // Bounded again, since it may grow meanwhile, or be no plain file at all.
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(too_large(bytes.len())) } else { Ok(bytes) }
}

/// The files that a folder's manifest names, whether they are there or not; none while it cannot be read.
pub(in crate::catalog) fn named_files(folder: &Path) -> Vec<PathBuf> {
    let Ok((manifest, _)) = read_manifest(folder) else { return Vec::new() };
    let keys =
        [manifest.component(), manifest.input_schema(), manifest.output_schema(), manifest.config_schema()];
    keys.into_iter().flatten().map(|path| folder.join(path)).collect()
}

/// Whether a file is a component by its name.
pub(in crate::catalog) fn is_component(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

/// What is in a folder, in the order of the names.
pub(in crate::catalog) fn sorted(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes when it is dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn with(files: &[(&str, &str)]) -> Self {
            let path = std::env::temp_dir().join(format!("flowmonkey-{}", uuid::Uuid::now_v7()));
            for (name, text) in files {
                let file = path.join("mail").join(name);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, text).unwrap();
            }
            Folder(path)
        }

        fn read(&self) -> Result<HandlerFiles, FileProblem> {
            HandlerFiles::of_folder(&self.0.join("mail"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_folder_holds_what_its_manifest_names() {
        let manifest = "component = 'build/b.wasm'\ninput-schema = 'in.json'\nconfig-schema = 'build/c.json'";
        let folder = Folder::with(&[
            (FILE_NAME, manifest),
            ("a.wasm", "A"),
            ("build/b.wasm", "B"),
            ("in.json", " {\"type\": \"object\"}\n"),
            ("build/c.json", "true"),
        ]);
        let files = folder.read().unwrap();
        assert_eq!((files.name.as_str(), files.manifest_text.as_str()), ("mail", manifest));
        assert_eq!(files.read_component(1).unwrap(), b"B");
        let schemas = (files.schemas.input, files.schemas.output, files.schemas.config);
        assert_eq!(schemas, (Some(serde_json::json!({"type": "object"})), None, Some(Value::Bool(true))));
        let folder = Folder::with(&[(FILE_NAME, "name = 'x'"), ("a.wasm", "A")]);
        let one = folder.read().unwrap();
        assert_eq!((one.name.as_str(), one.read_component(10).unwrap().as_slice()), ("x", b"A".as_slice()));
        assert!(one.read_component(0).is_err());
    }

    #[test]
    fn what_is_wrong_with_a_file_names_its_key() {
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(SCHEMA_BYTES_MAX));
        let table = [
            ("component = 'none.wasm'", "component = \"none.wasm\": "),
            ("component = 'sub'", "is no file"),
            ("input-schema = 'none.json'", "input-schema = \"none.json\": "),
            ("output-schema = 'bad.json'", "output-schema = \"bad.json\": not JSON"),
            (
                "config-schema = 'large.json'",
                "config-schema = \"large.json\": has 262153 bytes, over the limit of 262144",
            ),
            ("input-schema = 'link.json'", "leads out of the manifest's folder"),
            ("component = 'link/x.wasm'", "leads out of the manifest's folder"),
            ("", "there are 2"),
        ];
        for (manifest, part) in table {
            let folder = Folder::with(&[
                (FILE_NAME, manifest),
                ("a.wasm", ""),
                (if manifest.is_empty() { "b.wasm" } else { "b.txt" }, ""),
                ("sub/x", ""),
                ("bad.json", "{"),
                ("large.json", &large),
                ("../outside.json", "{}"),
                ("../other/x.wasm", ""),
            ]);
            let link = |to: &str, name: &str| {
                std::os::unix::fs::symlink(folder.0.join(to), folder.0.join("mail").join(name)).unwrap();
            };
            link("outside.json", "link.json");
            link("other", "link");
            let error = folder.read().unwrap_err().to_string();
            assert!(error.contains(part), "{manifest}: {error}");
        }
    }

    #[test]
    fn a_link_within_the_folder_is_fine() {
        let folder =
            Folder::with(&[(FILE_NAME, "input-schema = 'in.json'"), ("v2/in.json", "{}"), ("a.wasm", "")]);
        std::os::unix::fs::symlink("v2/in.json", folder.0.join("mail/in.json")).unwrap();
        assert!(folder.read().unwrap().schemas.input.is_some());
    }
}
