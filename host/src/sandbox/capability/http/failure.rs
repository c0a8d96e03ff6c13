use crate::sandbox::capability::{Lines, LogLevel};
use crate::sandbox::grants::Origin;
use std::net::IpAddr;
use std::sync::Arc;
use wasmtime_wasi_http::Error;

/// Why a request came to nothing: the code for the guest, and words for the job's log.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: Error,
    /// What happened and what to do. Never a path or a header's value: those may hold secrets.
    pub(super) why: String,
}

impl Failure {
    pub(super) fn new(code: Error, why: impl Into<String>) -> Self {
        Failure { code, why: why.into() }
    }

    pub(super) fn uri(why: &str) -> Self {
        Failure::new(Error::HttpRequestUriInvalid, why)
    }

    pub(super) fn not_granted(origin: &Origin) -> Self {
        let pattern = format!("{}://{}", origin.scheme.as_str(), super::target::authority(origin));
        let why = format!(
            "this handler has no grant `http` for it; put {pattern:?} into `http` of the handler's grants, \
             and the operator allows it"
        );
        Failure::new(Error::HttpRequestDenied, why)
    }

    pub(super) fn not_public(address: IpAddr) -> Self {
        let why = format!(
            "{address} is not a public address; if the handler may reach it, the operator puts it into \
             `private-addresses`"
        );
        Failure::new(Error::DestinationIpProhibited, why)
    }

    pub(super) fn internal(why: String) -> Self {
        Failure::new(Error::InternalError(Some(why.clone())), why)
    }

    /// Before the server had the request.
    pub(super) fn connecting(error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
        let code = match error.kind() {
            ConnectionRefused => Error::ConnectionRefused,
            TimedOut => Error::ConnectionTimeout,
            HostUnreachable | NetworkUnreachable => Error::DestinationUnavailable,
            _ => Error::ConnectionTerminated,
        };
        Failure::new(code, format!("no connection: {error}"))
    }

    /// While agreeing on TLS. A certificate that is not trusted is told apart from all else.
    pub(super) fn tls(error: &std::io::Error) -> Self {
        use tokio_rustls::rustls::Error as Tls;
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>());
        match inner {
            Some(Tls::InvalidCertificate(_) | Tls::NoCertificatesPresented) => {
                let why = format!("the server's certificate is not trusted: {error}");
                Failure::new(Error::TlsCertificateError, why)
            }
            Some(Tls::AlertReceived(alert)) => {
                let (id, name) = (u8::from(*alert), format!("{alert:?}"));
                let why = format!("the server refused TLS: {name}");
                Failure::new(Error::TlsAlertReceived { alert_id: Some(id), alert_message: Some(name) }, why)
            }
            Some(_) => Failure::new(Error::TlsProtocolError, format!("no TLS: {error}")),
            None => Failure::new(Error::ConnectionTerminated, format!("no TLS: {error}")),
        }
    }

    /// While the request or the response was on its way.
    pub(super) fn exchanging(error: &hyper::Error, header_bytes_max: usize) -> Self {
        if error.is_parse_too_large() {
            let fields = super::target::HEADERS_MAX;
            let why = format!(
                "the response's headers are more than {fields} fields or {header_bytes_max} bytes, the limits"
            );
            return Failure::new(Error::HttpResponseHeaderSectionSize(None), why);
        }
        let code = if error.is_parse() {
            Error::HttpProtocolError
        } else if error.is_incomplete_message() {
            Error::HttpResponseIncomplete
        } else if error.is_user() {
            // The guest dropped its body before it was finished.
            Error::HttpProtocolError
        } else {
            Error::ConnectionTerminated
        };
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        Failure::new(code, format!("the exchange broke off: {error}{}", cause.unwrap_or_default()))
    }
}

/// The job's log, as this capability writes to it.
#[derive(Clone)]
pub(super) struct Journal {
    pub(super) lines: Arc<Lines>,
}

impl Journal {
    pub(super) fn tell(&self, origin: Option<&Origin>, failure: &Failure) {
        let target = origin.map(|origin| {
            let authority = super::target::authority(origin);
            format!(" to {}://{authority}", origin.scheme.as_str())
        });
        let message = format!("HTTP request{} failed: {}", target.unwrap_or_default(), failure.why);
        self.lines.write(LogLevel::Warn, &message, &[("capability".into(), "http".into())]);
    }
}
