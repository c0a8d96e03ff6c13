//! One version from the database into the catalog.

use super::{StoredHandlers, Wanted};
use crate::catalog::{Handler, Manifest, Metadata, Origin, Schemas, Slot, digest};
use crate::store::{VersionRow, VersionTag};
use crate::telemetry;
use std::sync::Arc;

impl StoredHandlers {
    /// Makes a handler's slot what it should be, also when that changes meanwhile. What cannot be loaded leaves in
    /// place what was there.
    pub(super) async fn bring_in(self: Arc<Self>, name: String) {
        let _loading = Loading { stored: &self, name: &name };
        loop {
            let Some(wanted) = self.state().wanted.get(&name).cloned() else { return };
            let slot = self.catalog.slot(&name);
            let active = match self.obtain(&name, &wanted.active, slot.as_ref()).await {
                Some(active) => Some(active),
                None => slot.as_ref().map(|slot| slot.active.clone()),
            };
            let canary = match &wanted.canary {
                Some((tag, percent)) => {
                    self.obtain(&name, tag, slot.as_ref()).await.map(|handler| (handler, *percent))
                }
                None => None,
            };
            if self.swap(&name, &wanted, active, canary) {
                return;
            }
        }
    }

    /// Swaps the slot, unless something else is wanted by now. Returns whether that is done with.
    fn swap(
        &self,
        name: &str,
        wanted: &Wanted,
        active: Option<Arc<Handler>>,
        canary: Option<(Arc<Handler>, u8)>,
    ) -> bool {
        // Under the lock, so that a handler which is removed this moment is not put back.
        let mut state = self.state();
        if state.wanted.get(name) != Some(wanted) {
            return false;
        }
        state.loading.remove(name);
        if let Some(active) = active {
            telemetry::handler_swapped(
                name,
                &active.version,
                canary.as_ref().map(|(one, _)| one.version.as_str()),
            );
            self.catalog.place(Slot { active, canary, origin: Origin::Stored });
        }
        drop(state);
        self.changed.notify_one();
        true
    }

    /// A version that is loaded already, or is loaded now. `None` when it cannot be, which is noted.
    async fn obtain(&self, name: &str, tag: &VersionTag, slot: Option<&Slot>) -> Option<Arc<Handler>> {
        let here = slot.and_then(|slot| slot.handlers().find(|one| one.tag() == *tag).cloned());
        if here.is_some() {
            return here;
        }
        if let Some(pinned) = self.state().pinned.iter().find(|one| one.name == name && one.tag() == *tag) {
            return Some(pinned.clone());
        }
        let row = match self.store.version(name, &tag.version).await {
            Ok(Some(row)) if row.tag() == *tag => row,
            // Removed since the look: the next look will not want it.
            Ok(_) => return None,
            Err(error) => {
                self.refuse(name, tag, "", &error.to_string());
                return None;
            }
        };
        match self.load(&row).await {
            Ok(handler) => {
                self.state().refusals.forgive(name, tag);
                Some(handler)
            }
            Err(why) => {
                self.refuse(name, tag, &row.digest, &why);
                None
            }
        }
    }

    /// Compiles a version of the database, after everything that a push would check and that may have changed since.
    pub(super) async fn load(&self, row: &VersionRow) -> Result<Arc<Handler>, String> {
        let _place = self.places.acquire().await.map_err(|error| error.to_string())?;
        let bytes = self.store.component(&row.digest).await.map_err(|error| error.to_string())?;
        let bytes = bytes.ok_or("its component is not in the database")?;
        let found = digest(&bytes);
        if found != row.digest {
            return Err(format!(
                "its component in the database is damaged: its digest is {found}, not {}",
                row.digest
            ));
        }
        let trusted = self.policy.signatures.check(&row.digest, row.signature.as_deref());
        trusted.map_err(|error| format!("its component {error}"))?;
        let manifest = Manifest::parse(&row.manifest)?;
        let metadata = row.metadata.as_ref().map(Metadata::parse).transpose()?;
        let (settings, denied) = self.policy.settings(&row.handler, &manifest, metadata.as_ref())?;
        if !denied.is_empty() {
            telemetry::asked_in_vain(&row.handler, &denied.join(", "));
        }
        let schemas = Schemas::from_store(row.schemas.as_ref()).await?;
        let prepared = self.catalog.prepare(&row.handler, Some(&row.version), bytes, settings).await;
        let handler = prepared.map_err(|error| error.to_string())?;
        Ok(Arc::new(Handler { pushed_at: row.pushed_at, schemas, ..handler }))
    }
}

/// Loading that is called off is not under way any more.
struct Loading<'a> {
    stored: &'a StoredHandlers,
    name: &'a str,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.stored.state().loading.remove(self.name);
    }
}
