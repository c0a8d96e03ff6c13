use super::failure::Failure;
use super::resolve::{Resolve, System};
use super::trust::Trust;
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_rustls::TlsConnector;

/// How guests reach the network, where they may.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Certificates to trust beside the ones that browsers trust, in PEM: a company's own authority.
    pub extra_roots_pem: Option<Vec<u8>>,
    /// Who turns names into addresses.
    pub resolver: Arc<dyn Resolve>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        HttpConfig { extra_roots_pem: None, resolver: Arc::new(System::default()) }
    }
}

/// One thread for all connections of all guests, and the certificates to trust: made when the first request
/// goes out. Apart from the guests, so that one that computes delays nobody's bytes; apart from the host,
/// so that what servers send costs it no time.
#[derive(Clone)]
pub(in crate::sandbox) struct Network(Arc<Shared>);

struct Shared {
    resolver: Arc<dyn Resolve>,
    trust: Trust,
    /// `None`: it could not be started.
    runtime: OnceLock<Option<Runtime>>,
}

impl Network {
    /// # Errors
    /// When the extra certificates are none.
    pub(in crate::sandbox) fn new(config: &HttpConfig) -> Result<Self, String> {
        let trust = Trust::new(config.extra_roots_pem.as_deref())?;
        let resolver = config.resolver.clone();
        Ok(Network(Arc::new(Shared { resolver, trust, runtime: OnceLock::new() })))
    }

    pub(super) fn handle(&self) -> Result<&Handle, Failure> {
        let start =
            || Builder::new_multi_thread().worker_threads(1).thread_name("http").enable_all().build().ok();
        let runtime = self.0.runtime.get_or_init(start).as_ref();
        let missing = || Failure::internal("the thread for connections could not be started".into());
        runtime.map(Runtime::handle).ok_or_else(missing)
    }

    pub(super) fn resolver(&self) -> &dyn Resolve {
        &*self.0.resolver
    }

    pub(super) fn tls(&self) -> Result<TlsConnector, Failure> {
        self.0.trust.tls().map_err(Failure::internal)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Waiting for a look-up here would block; dropped from async code it would even panic.
        if let Some(runtime) = self.runtime.take().flatten() {
            runtime.shutdown_background();
        }
    }
}
