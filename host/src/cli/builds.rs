//! `flowmonkey dev`: builds what has source, and again when that changes.

use super::serve::tell_change;
use crate::workshop::{self, Fault, Profile, Sources, Workplace};
use flowmonkey_jobs::catalog::{Catalog, Folder};
use flowmonkey_jobs::telemetry;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often sources are looked at. A change counts once two looks have seen the same: editors and version
/// control write several files.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The handlers with source, and what of it was built last, whether that went well or not.
#[derive(Debug, Default)]
pub(super) struct Builds {
    built: BTreeMap<PathBuf, Sources>,
    seen: BTreeMap<PathBuf, Sources>,
    /// Folders whose source could not even be told, and why.
    odd: BTreeMap<PathBuf, String>,
}

impl Builds {
    /// Builds what is out of date, and says whether there is any source.
    pub(super) async fn look(&mut self, folder: &Path) -> bool {
        let found = self.find(folder).await;
        for (workplace, sources) in &found {
            if sources.are_newer_than(&workplace.component()) {
                build(workplace).await;
            }
            self.built.insert(workplace.folder.clone(), sources.clone());
        }
        !found.is_empty() || !self.odd.is_empty()
    }

    /// Looks again and again, builds what has changed, one handler after the other, and swaps it in.
    pub(super) async fn watch(&mut self, folder: &Folder, catalog: &Catalog) {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            for (workplace, sources) in self.find(folder.path()).await {
                let path = &workplace.folder;
                let is_settled = self.seen.insert(path.clone(), sources.clone()).as_ref() == Some(&sources);
                if !is_settled || self.built.get(path) == Some(&sources) {
                    continue;
                }
                self.built.insert(path.clone(), sources.clone());
                let built = tokio::select! {
                    built = build(&workplace) => built,
                    // A build of what is not there any more is stopped: it may never end.
                    () = changed(&workplace, sources) => continue,
                };
                if built {
                    tell_change(folder, folder.load(catalog).await);
                }
            }
        }
    }

    /// The handlers with source as they are now. What is odd about one is told once.
    async fn find(&mut self, folder: &Path) -> Vec<(Workplace, Sources)> {
        let looked = folder.to_owned();
        let looked = tokio::task::spawn_blocking(move || look(&looked)).await;
        // A folder that cannot be listed is told by whoever loads it.
        let Ok(Ok(looked)) = looked else { return Vec::new() };
        let mut found = Vec::new();
        for (path, workplace) in looked {
            match workplace {
                Ok(workplace) => {
                    self.odd.remove(&path);
                    found.extend(workplace);
                }
                Err(why) => self.tell_odd(path, why.to_string()),
            }
        }
        found
    }

    fn tell_odd(&mut self, path: PathBuf, why: String) {
        if self.odd.get(&path) != Some(&why) {
            telemetry::handler_not_built(&path.display(), &why);
            self.odd.insert(path, why);
        }
    }
}

/// A folder with a manifest, and the source in it, if there is any that makes sense.
type Looked = (PathBuf, Result<Option<(Workplace, Sources)>, Fault>);

fn look(folder: &Path) -> Result<Vec<Looked>, Fault> {
    let with_sources = |workplace: Workplace| {
        let sources = Sources::of(&workplace);
        (workplace, sources)
    };
    let folders = workshop::handler_folders(folder)?.into_iter();
    Ok(folders
        .map(|path| {
            let found = Workplace::of(&path, None).map(|found| found.map(with_sources));
            (path, found)
        })
        .collect())
}

/// Ends when the sources are others than these.
async fn changed(workplace: &Workplace, sources: Sources) {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let looked = workplace.clone();
        let now = tokio::task::spawn_blocking(move || Sources::of(&looked)).await;
        if now.is_ok_and(|now| now != sources) {
            return;
        }
    }
}

async fn build(workplace: &Workplace) -> bool {
    telemetry::handler_building(&workplace.name, workplace.language.name());
    let started = Instant::now();
    match workshop::build(workplace, Profile::Release).await {
        Ok(_) => {
            let ms = started.elapsed().as_millis();
            telemetry::handler_built(&workplace.name, workplace.language.name(), ms);
            true
        }
        Err(why) => {
            telemetry::handler_not_built(&workplace.folder.display(), &why);
            false
        }
    }
}
