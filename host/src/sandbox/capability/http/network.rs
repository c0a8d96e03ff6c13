use super::failure::Failure;
use super::resolve::{Resolve, System};
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, client::Resumption};

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
pub(in crate::sandbox) struct Network {
    pub(super) resolver: Arc<dyn Resolve>,
    extra_roots: Vec<CertificateDer<'static>>,
    /// `None`: it could not be started.
    runtime: OnceLock<Option<Runtime>>,
    tls: OnceLock<TlsConnector>,
}

impl Network {
    /// # Errors
    /// When the extra certificates are none.
    pub(in crate::sandbox) fn new(config: &HttpConfig) -> Result<Self, String> {
        let pem = config.extra_roots_pem.as_deref();
        let extra_roots: Result<Vec<_>, _> =
            pem.map(CertificateDer::pem_slice_iter).into_iter().flatten().collect();
        let extra_roots =
            extra_roots.map_err(|error| format!("the extra root certificates are no PEM: {error}"))?;
        let mut checked = RootCertStore::empty();
        for root in &extra_roots {
            let added = checked.add(root.clone());
            added.map_err(|error| format!("an extra root certificate cannot be used: {error}"))?;
        }
        if pem.is_some() && extra_roots.is_empty() {
            return Err("the extra root certificates hold no `BEGIN CERTIFICATE`".into());
        }
        let resolver = config.resolver.clone();
        Ok(Network { resolver, extra_roots, runtime: OnceLock::new(), tls: OnceLock::new() })
    }

    pub(super) fn handle(&self) -> Result<&Handle, Failure> {
        let start =
            || Builder::new_multi_thread().worker_threads(1).thread_name("http").enable_all().build().ok();
        let runtime = self.runtime.get_or_init(start).as_ref();
        let missing = || Failure::internal("the thread for connections could not be started".into());
        runtime.map(Runtime::handle).ok_or_else(missing)
    }

    /// The same trust for every attempt, and no memory of earlier connections.
    pub(super) fn tls(&self) -> Result<TlsConnector, Failure> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let (_, _) = roots.add_parsable_certificates(self.extra_roots.iter().cloned());
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::internal(format!("TLS: {error}")))?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(self.tls.get_or_init(|| TlsConnector::from(Arc::new(config))).clone())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Waiting for a look-up here would block; dropped from async code it would even panic.
        if let Some(runtime) = self.runtime.take().flatten() {
            runtime.shutdown_background();
        }
    }
}
