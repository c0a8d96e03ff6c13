//! What the handlers of a folder look like from outside, to tell when they have changed.

use crate::catalog::manifest::{FILE_NAME, is_component, named_files, signature_path, sorted};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Length and time of change of each file that a handler is made of.
pub(super) type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Every handler of a folder with its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<PathBuf, Stamp>);

impl Snapshot {
    /// A folder with a manifest of its own is one handler.
    pub(super) async fn take(folder: &Path) -> io::Result<Self> {
        let folder = folder.to_owned();
        let take = move || {
            let mut stamps = BTreeMap::new();
            if folder.join(FILE_NAME).is_file() {
                let path = folder.canonicalize()?;
                let stamp = stamp_of_folder(&path);
                return Ok(Snapshot(BTreeMap::from([(path, stamp)])));
            }
            for path in sorted(&folder)? {
                if path.join(FILE_NAME).is_file() {
                    let stamp = stamp_of_folder(&path);
                    stamps.insert(path, stamp);
                } else if is_component(&path) {
                    let files = [path.clone(), signature_path(&path)];
                    let stamp = files.iter().filter_map(|file| stamp(file)).collect();
                    stamps.insert(path, stamp);
                }
            }
            Ok(Snapshot(stamps))
        };
        tokio::task::spawn_blocking(take).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathBuf, &Stamp)> {
        self.0.iter()
    }
}

impl IntoIterator for Snapshot {
    type Item = (PathBuf, Stamp);
    type IntoIter = std::collections::btree_map::IntoIter<PathBuf, Stamp>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The manifest, what it names, and the components beside it: also those that are not there yet.
fn stamp_of_folder(folder: &Path) -> Stamp {
    let mut files = vec![folder.join(FILE_NAME)];
    files.extend(named_files(folder));
    files.extend(sorted(folder).unwrap_or_default().into_iter().filter(|file| is_component(file)));
    let signatures: Vec<PathBuf> = files.iter().map(|file| signature_path(file)).collect();
    files.extend(signatures);
    files.sort();
    files.dedup();
    files.iter().filter_map(|file| stamp(file)).collect()
}

fn stamp(path: &Path) -> Option<(PathBuf, u64, Option<SystemTime>)> {
    let metadata = std::fs::metadata(path).ok()?;
    metadata.is_file().then(|| (path.to_owned(), metadata.len(), metadata.modified().ok()))
}
