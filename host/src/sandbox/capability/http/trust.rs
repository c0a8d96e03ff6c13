use std::sync::{Arc, OnceLock};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, client::Resumption};

/// The certificates to trust: those that browsers trust, and the operator's own.
pub(crate) struct Trust {
    extra_roots: Vec<CertificateDer<'static>>,
    tls: OnceLock<TlsConnector>,
}

impl Trust {
    /// # Errors
    /// When the extra certificates, in PEM, are none.
    pub(crate) fn new(extra_roots_pem: Option<&[u8]>) -> Result<Self, String> {
        let extra_roots: Result<Vec<_>, _> =
            extra_roots_pem.map(CertificateDer::pem_slice_iter).into_iter().flatten().collect();
        let extra_roots =
            extra_roots.map_err(|error| format!("the extra root certificates are no PEM: {error}"))?;
        let mut checked = RootCertStore::empty();
        for root in &extra_roots {
            let added = checked.add(root.clone());
            added.map_err(|error| format!("an extra root certificate cannot be used: {error}"))?;
        }
        if extra_roots_pem.is_some() && extra_roots.is_empty() {
            return Err("the extra root certificates hold no `BEGIN CERTIFICATE`".into());
        }
        Ok(Trust { extra_roots, tls: OnceLock::new() })
    }

    /// The same trust for every connection, and no memory of earlier ones. Made when it is first needed.
    ///
    /// # Errors
    /// When the cryptography cannot be set up, which is a bug.
    pub(crate) fn tls(&self) -> Result<TlsConnector, String> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let (_, _) = roots.add_parsable_certificates(self.extra_roots.iter().cloned());
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(self.tls.get_or_init(|| TlsConnector::from(Arc::new(config))).clone())
    }
}
