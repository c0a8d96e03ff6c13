//! Requests to registries. A client of our own, for what the usual ones leave open: how much an answer may
//! hold, where a redirect may lead, and who is spoken to in the clear.

use super::error::OciProblem;
use super::idle::Watched;
use super::reference::is_loopback;
use crate::sandbox::{Origin, Scheme, Trust};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi_http::io::TokioIo;

/// What a head of a response may hold.
const HEADER_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;

/// Opens connections, one a request: what a fetch does is little, and so nothing of one leaks into the next.
pub(super) struct Wire {
    pub(super) trust: Trust,
    /// How long nothing may come or go.
    pub(super) idle_max: Duration,
}

/// A response whose body is still to come.
pub(super) struct Answer {
    pub(super) head: http::response::Parts,
    body: Incoming,
    _line: Line,
}

/// hyper's side of a connection; it ends with the answer.
struct Line(JoinHandle<()>);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Wire {
    /// Sends a request, whose URI is a path, to an origin.
    ///
    /// # Errors
    /// `Unavailable` when there is no connection or no answer in time.
    pub(super) async fn send(
        &self,
        origin: &Origin,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, OciProblem> {
        let host = crate::sandbox::authority(origin);
        let unavailable = |why: String| OciProblem::Unavailable(format!("{host}: {why}"));
        let value = host.parse().map_err(|_| unavailable("no header can hold its name".into()))?;
        request.headers_mut().insert(header::HOST, value);
        let stream = self.dial(origin).await.map_err(unavailable)?;
        let answered = match origin.scheme {
            Scheme::Http => talk(Watched::new(stream, self.idle_max), request).await,
            Scheme::Https => {
                let name = ServerName::try_from(origin.host.clone());
                let name = name.map_err(|_| unavailable("no certificate can be for it".into()))?;
                let tls = self.trust.tls().map_err(unavailable)?;
                let stream = tls.connect(name, Watched::new(stream, self.idle_max)).await;
                talk(stream.map_err(|error| unavailable(format!("TLS: {error}")))?, request).await
            }
        };
        answered.map_err(|error| unavailable(chain(&error)))
    }

    async fn dial(&self, origin: &Origin) -> Result<TcpStream, String> {
        let dialled = timeout(self.idle_max, async {
            let found = lookup_host((origin.host.as_str(), origin.port)).await?;
            // What the hosts file says of `localhost` must not lead elsewhere in the clear.
            let near = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
            let clear = origin.scheme == Scheme::Http;
            let mut failure = std::io::Error::other("it has no address");
            for address in found.filter(|address| !clear || near(address)) {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failure = error,
                }
            }
            Err(failure)
        });
        let stream = dialled.await.map_err(|_| format!("no connection within {:?}", self.idle_max))?;
        let stream = stream.map_err(|error| error.to_string())?;
        // The end of an upload must not wait for the answer to an earlier packet.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// Whether somebody who speaks for one origin may send us to another: encrypted ways stay encrypted and lead to
/// no service of this machine; a registry of this machine stays on it.
pub(super) fn may_lead(from: &Origin, to: &Origin) -> bool {
    match from.scheme {
        Scheme::Https => to.scheme == Scheme::Https && !is_loopback(&to.host),
        Scheme::Http => is_loopback(&to.host),
    }
}

async fn talk<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_headers(HEADERS_MAX).max_header_size(HEADER_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // How it ended, the request or the body hears.
    let line = Line(tokio::spawn(async { drop(connection.await) }));
    let response: Response<Incoming> = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    Ok(Answer { head, body, _line: line })
}

impl Answer {
    /// The whole body, of which no more is held than it may have.
    ///
    /// # Errors
    /// `TooLarge` by the name of what it is, and `Unavailable` when it breaks off.
    pub(super) async fn read(mut self, what: &str, bytes_max: u64) -> Result<Vec<u8>, OciProblem> {
        let too_large = |bytes| OciProblem::TooLarge { what: what.to_owned(), bytes, max: bytes_max };
        let announced = self.body.size_hint().lower();
        if announced > bytes_max {
            return Err(too_large(announced));
        }
        let mut bytes = Vec::new();
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| {
                OciProblem::Unavailable(format!(
                    "{what} broke off after {} bytes: {}",
                    bytes.len(),
                    chain(&error)
                ))
            })?;
            let chunk = frame.into_data().unwrap_or_default();
            let length = (bytes.len() + chunk.len()) as u64;
            if length > bytes_max {
                return Err(too_large(length));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// A header's value, if it is there and text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }
}

/// An error with its causes, which hyper keeps apart.
fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
