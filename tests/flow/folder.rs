//! A folder that is watched.

use crate::fleet;
use crate::pushed::empty_catalog;
use flowmonkey_jobs::catalog::{Catalog, Folder, FolderReport, Policy};
use flowmonkey_tests::guests;
use std::path::Path;
use std::sync::{Arc, Mutex};

struct Watched {
    dir: tempfile::TempDir,
    catalog: Arc<Catalog>,
    reports: Arc<Mutex<Vec<FolderReport>>>,
    watching: tokio::task::JoinHandle<()>,
}

impl Watched {
    async fn start(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, bytes)| write(dir.path(), name, bytes));
        let (catalog, folder) = (empty_catalog(), Folder::new(dir.path(), Policy::default()));
        folder.load(&catalog).await.unwrap();
        let reports = Arc::new(Mutex::new(Vec::new()));
        let (heard, shared) = (reports.clone(), catalog.clone());
        let watching = tokio::spawn(async move {
            folder.watch(&shared, |report| heard.lock().unwrap().push(report.unwrap())).await;
        });
        Watched { dir, catalog, reports, watching }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        write(self.dir.path(), name, bytes);
    }

    fn digest(&self, handler: &str) -> Option<String> {
        Some(self.catalog.resolve(handler)?.digest.clone())
    }

    async fn until_digest(&self, handler: &str, component: Option<&[u8]>) {
        let wanted = component.map(flowmonkey_jobs::catalog::digest);
        fleet::until("it is what it should be", || self.digest(handler) == wanted).await;
    }

    /// Whether a report says this of a refusal.
    fn refused(&self, why: &str) -> bool {
        let reports = self.reports.lock().unwrap();
        reports.iter().flat_map(|report| &report.refused).any(|error| error.to_string().contains(why))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_swapped_in_and_what_is_gone_is_taken_out() {
    let [one, two, three] = ["one", "two", "three"].map(|text| guests::saying(text, 1));
    let watched = Watched::start(&[("a.wasm", &one), ("b.wasm", &one)]).await;
    let untouched = watched.catalog.resolve("b").unwrap();
    watched.write("a.wasm", &two);
    watched.until_digest("a", Some(&two)).await;
    watched.write("c/handler.toml", b"name = 'new'\ncomponent = 'build/out.wasm'");
    watched.write("c/build/out.wasm", &three);
    watched.until_digest("new", Some(&three)).await;
    // The component lies deeper than the folder itself.
    watched.write("c/build/out.wasm", &one);
    watched.until_digest("new", Some(&one)).await;
    watched.write("c/handler.toml", b"name = 'renamed'\ncomponent = 'build/out.wasm'");
    watched.until_digest("renamed", Some(&one)).await;
    watched.until_digest("new", None).await;
    std::fs::remove_file(watched.dir.path().join("a.wasm")).unwrap();
    watched.until_digest("a", None).await;
    assert!(
        Arc::ptr_eq(&untouched, &watched.catalog.resolve("b").unwrap()),
        "what has not changed is not loaded again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_build_leaves_the_old_one_and_says_why() {
    let [one, two] = ["one", "two"].map(|text| guests::saying(text, 1));
    let watched = Watched::start(&[("a.wasm", &one)]).await;
    watched.write("a.wasm", b"no component");
    fleet::until("it is refused", || watched.refused("a.wasm: ")).await;
    assert_eq!(watched.digest("a"), Some(flowmonkey_jobs::catalog::digest(&one)));
    watched.write("a.wasm", &two);
    watched.until_digest("a", Some(&two)).await;
    watched.write("b/handler.toml", b"name = 'a'");
    watched.write("b/any.wasm", &one);
    fleet::until("a name is given once", || watched.refused("is in ")).await;
    assert_eq!(watched.digest("a"), Some(flowmonkey_jobs::catalog::digest(&two)));
}
