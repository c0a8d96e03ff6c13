use super::{Call, Killer};
use async_trait::async_trait;
use flowmonkey_jobs::store::{
    Activation, AuditRow, HandlerFault, HandlerRow, HandlerStore, NewVersion, Pushed, StoreError, VersionRow,
};

#[async_trait]
impl HandlerStore for Killer {
    async fn push_version(
        &self,
        new: &NewVersion,
        activation: Option<Activation>,
        actor: &str,
    ) -> Result<Pushed, HandlerFault> {
        self.pass(Call::named("push_version"), self.inner.push_version(new, activation, actor)).await
    }

    async fn activate(
        &self,
        handler: &str,
        version: &str,
        activation: Activation,
        actor: &str,
    ) -> Result<(), HandlerFault> {
        self.pass(Call::named("activate"), self.inner.activate(handler, version, activation, actor)).await
    }

    async fn roll_back(&self, handler: &str, actor: &str) -> Result<String, HandlerFault> {
        self.pass(Call::named("roll_back"), self.inner.roll_back(handler, actor)).await
    }

    async fn promote_canary(&self, handler: &str, actor: &str) -> Result<String, HandlerFault> {
        self.pass(Call::named("promote_canary"), self.inner.promote_canary(handler, actor)).await
    }

    async fn abort_canary(&self, handler: &str, actor: &str) -> Result<String, HandlerFault> {
        self.pass(Call::named("abort_canary"), self.inner.abort_canary(handler, actor)).await
    }

    async fn set_handler_paused(
        &self,
        handler: &str,
        paused: bool,
        actor: &str,
    ) -> Result<bool, HandlerFault> {
        let pause = self.inner.set_handler_paused(handler, paused, actor);
        self.pass(Call::named("set_handler_paused"), pause).await
    }

    async fn remove_version(&self, handler: &str, version: &str, actor: &str) -> Result<(), HandlerFault> {
        self.pass(Call::named("remove_version"), self.inner.remove_version(handler, version, actor)).await
    }

    async fn remove_handler(
        &self,
        handler: &str,
        even_with_jobs: bool,
        actor: &str,
    ) -> Result<(), HandlerFault> {
        let remove = self.inner.remove_handler(handler, even_with_jobs, actor);
        self.pass(Call::named("remove_handler"), remove).await
    }

    async fn handler_rows(&self) -> Result<Vec<HandlerRow>, StoreError> {
        self.inner.handler_rows().await
    }

    async fn versions(&self, handler: &str) -> Result<Vec<VersionRow>, StoreError> {
        self.inner.versions(handler).await
    }

    async fn version(&self, handler: &str, version: &str) -> Result<Option<VersionRow>, StoreError> {
        self.inner.version(handler, version).await
    }

    async fn component(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.component(digest).await
    }

    async fn audit(&self, handler: Option<&str>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.inner.audit(handler, limit).await
    }
}
