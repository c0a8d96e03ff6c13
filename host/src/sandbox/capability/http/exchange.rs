use super::address::is_allowed;
use super::body::RequestBody;
use super::failure::{Failure, Journal};
use super::network::Network;
use super::recorded::Asked;
use super::target::HEADERS_MAX;
use crate::sandbox::grants::{Grants, Origin, Scheme};
use crate::sandbox::limits::Limits;
use bytes::Bytes;
use http::response::Parts;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use hyper::client::conn::http1;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions};

/// Addresses of one name that are tried; all of them are checked.
const DIALS_MAX: usize = 4;
/// What hyper reads ahead of the guest, unless headers may be larger.
const READ_BYTES_MAX: usize = 64 * 1024;

/// One request and its response, from the look-up of the name to the last byte. A connection of its own
/// that closes when this is dropped.
pub(super) struct Exchange {
    pub(super) network: Arc<Network>,
    pub(super) grants: Arc<Grants>,
    pub(super) origin: Origin,
    pub(super) limits: Limits,
    pub(super) options: RequestOptions,
    /// Where there is a recording: what of it answers, and where to note what became of it.
    pub(super) asked: Option<Asked>,
    /// What the attempt may have under way at once.
    pub(super) places: Arc<Semaphore>,
    pub(super) journal: Journal,
}

/// Where the response goes.
pub(super) struct Answer {
    pub(super) head: Option<oneshot::Sender<Result<Parts, Error>>>,
    pub(super) frames: mpsc::Sender<Frame<Bytes>>,
    pub(super) ending: oneshot::Sender<Result<(), Error>>,
}

impl Answer {
    /// Whether anybody takes it.
    fn begin(&mut self, head: Parts) -> bool {
        self.head.take().is_some_and(|waiting| waiting.send(Ok(head)).is_ok())
    }

    /// Whoever does not listen any more need not hear it.
    fn end(self, ended: Result<(), Error>) {
        match (self.head, ended) {
            (Some(head), Err(error)) => drop(head.send(Err(error))),
            (Some(_), Ok(())) => {}
            (None, ended) => drop(self.ending.send(ended)),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Exchange {
    pub(super) async fn run(self, request: Request<RequestBody>, mut answer: Answer) {
        let excess = request.body().excess.clone();
        let mut ended = self.exchange(request, &mut answer).await;
        if let (Err(failure), Some(over)) = (&mut ended, excess.bytes()) {
            let max = self.limits.http_request_bytes_max;
            let why = format!("its body has more than {max} bytes, the limit");
            *failure = Failure::new(Error::HttpRequestBodySize(max.checked_add(over)), why);
        }
        if let Err(failure) = &ended {
            self.journal.tell(Some(&self.origin), failure);
            if let Some(asked) = &self.asked {
                asked.failed(&failure.why);
            }
        }
        answer.end(ended.map_err(|failure| failure.code));
    }

    async fn exchange(&self, request: Request<RequestBody>, answer: &mut Answer) -> Result<(), Failure> {
        let deadline = after(self.limits.http_time_max);
        let by = earlier(deadline, self.options.connect_timeout);
        let _place = self.place(by).await?;
        // Names are not looked up for a recording; an address needs no looking up.
        if let Ok(address) = self.origin.host.parse() {
            self.allowed(&[address])?;
        }
        if let Some(played) = self.asked.as_ref().map(Asked::answer).transpose()?.flatten() {
            return self.play(played, request.into_body(), answer, deadline).await;
        }
        let addresses = self.addresses(by).await?;
        let stream = self.dial(&addresses, by).await?;
        let stream: Box<dyn Stream> = match self.origin.scheme {
            Scheme::Http => Box::new(stream),
            Scheme::Https => self.encrypt(stream, by).await?,
        };
        self.talk(stream, request, answer, deadline).await
    }

    async fn place(&self, by: Instant) -> Result<OwnedSemaphorePermit, Failure> {
        let place = timeout_at(by, self.places.clone().acquire_owned()).await;
        let full = || {
            let why = "as many requests of this attempt as may be were under way all the time; \
                       read or drop their responses";
            Failure::new(Error::ConnectionLimitReached, why)
        };
        place.ok().and_then(Result::ok).ok_or_else(full)
    }

    /// Looks the name up, once, and checks every address. One that may not be reached condemns all: whoever
    /// answers both ways wants one look-up to pass and the next to lead elsewhere.
    async fn addresses(&self, by: Instant) -> Result<Vec<IpAddr>, Failure> {
        let host = &self.origin.host;
        let found = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => match timeout_at(by, self.network.resolver().resolve(host)).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => return Err(unresolved(&error.to_string())),
                Err(_) => {
                    return Err(Failure::new(Error::DnsTimeout, "its name was not resolved in time"));
                }
            },
        };
        self.allowed(&found)
    }

    fn allowed(&self, found: &[IpAddr]) -> Result<Vec<IpAddr>, Failure> {
        let addresses: Vec<IpAddr> = found.iter().map(IpAddr::to_canonical).collect();
        let allowed = |address: &IpAddr| is_allowed(*address, &self.grants.private_addresses);
        match addresses.iter().find(|address| !allowed(address)) {
            Some(address) => Err(Failure::not_public(*address)),
            None if addresses.is_empty() => Err(unresolved("it has no address")),
            None => Ok(addresses),
        }
    }

    /// Each address has its share of the time, so that one that swallows packets does not keep the others
    /// from being tried.
    async fn dial(&self, addresses: &[IpAddr], by: Instant) -> Result<TcpStream, Failure> {
        let addresses = &addresses[..addresses.len().min(DIALS_MAX)];
        let mut failure = Failure::new(Error::ConnectionTimeout, "no connection in time");
        for (n, address) in addresses.iter().enumerate() {
            let others = u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
            let share = by.saturating_duration_since(Instant::now()) / others;
            match timeout(share, TcpStream::connect((*address, self.origin.port))).await {
                Ok(Ok(stream)) => {
                    // A small request must not wait for the answer to an earlier packet.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = Failure::connecting(&error),
                Err(_) => {}
            }
        }
        Err(failure)
    }

    /// Names and verifies the host that was asked for, whatever address it has.
    async fn encrypt(&self, stream: TcpStream, by: Instant) -> Result<Box<dyn Stream>, Failure> {
        let name = ServerName::try_from(self.origin.host.clone());
        let name = name.map_err(|_| Failure::uri("no certificate can be for such a host"))?;
        match timeout_at(by, self.network.tls()?.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(Failure::tls(&error)),
            Err(_) => Err(Failure::new(Error::ConnectionTimeout, "TLS was not agreed on in time")),
        }
    }

    async fn talk(
        &self,
        stream: Box<dyn Stream>,
        request: Request<RequestBody>,
        answer: &mut Answer,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let header_bytes_max = self.limits.http_header_bytes_max;
        let failed = |error: hyper::Error| Failure::exchanging(&error, header_bytes_max);
        let mut builder = http1::Builder::new();
        builder.max_headers(HEADERS_MAX).max_header_size(header_bytes_max);
        builder.max_buf_size(header_bytes_max.max(READ_BYTES_MAX));
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let mut line = Line { connection: Box::pin(connection), open: true };

        let by = earlier(deadline, self.options.first_byte_timeout);
        let response = timeout_at(by, line.beside(sender.send_request(request))).await;
        let response = response.map_err(|_| self.too_slow(by == deadline))?.map_err(failed)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let why = "the server wants to speak another protocol";
            return Err(Failure::new(Error::HttpUpgradeFailed, why));
        }
        let announced = response.body().size_hint().lower();
        if announced > self.limits.http_response_bytes_max {
            return Err(self.too_large(announced));
        }
        let (head, mut body) = response.into_parts();
        if !self.begin(head, answer) {
            return Ok(());
        }
        let mut bytes = 0;
        loop {
            let by = earlier(deadline, self.options.between_bytes_timeout);
            let frame = timeout_at(by, line.beside(body.frame())).await;
            let Some(frame) = frame.map_err(|_| self.too_slow(by == deadline))? else { return Ok(()) };
            let frame = frame.map_err(failed)?;
            bytes += frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
            if bytes > self.limits.http_response_bytes_max {
                return Err(self.too_large(bytes));
            }
            let handed = timeout_at(deadline, line.beside(answer.frames.send(frame))).await;
            if handed.map_err(|_| self.too_slow(true))?.is_err() {
                return Ok(());
            }
        }
    }

    /// Whether anybody takes the response.
    pub(super) fn begin(&self, head: Parts, answer: &mut Answer) -> bool {
        if let Some(asked) = &self.asked {
            asked.answered(head.status);
        }
        answer.begin(head)
    }

    pub(super) fn too_slow(&self, in_all: bool) -> Failure {
        let max = self.limits.http_time_max;
        if in_all {
            let why = format!("it was not over within {max:?}, the limit");
            return Failure::new(Error::HttpResponseTimeout, why);
        }
        Failure::new(Error::ConnectionReadTimeout, "the server was silent for longer than the handler waits")
    }

    pub(super) fn too_large(&self, bytes: u64) -> Failure {
        let max = self.limits.http_response_bytes_max;
        let why = format!("the response's body has more than {max} bytes, the limit");
        Failure::new(Error::HttpResponseBodySize(Some(bytes)), why)
    }
}

fn unresolved(why: &str) -> Failure {
    let code = Error::DnsError { rcode: None, info_code: None };
    Failure::new(code, format!("its name cannot be resolved: {why}"))
}

/// A time so far away that it cannot be told is as good as the end of this century.
fn after(time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);
    let now = Instant::now();
    now.checked_add(time.min(FAR)).unwrap_or(now)
}

fn earlier(deadline: Instant, time: Option<Duration>) -> Instant {
    time.map_or(deadline, |time| deadline.min(after(time)))
}

/// hyper's side of a connection, which does the reading and writing.
struct Line<C> {
    connection: Pin<Box<C>>,
    open: bool,
}

impl<C: Future> Line<C> {
    /// Goes on until the work is done. How the connection ended, the work itself hears.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = &mut self.connection, if self.open => self.open = false,
            }
        }
    }
}
