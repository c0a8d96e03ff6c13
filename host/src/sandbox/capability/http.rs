//! `wasi:http/outgoing-handler`: where a handler may send requests, its grant `http` says. Our own connector,
//! so that what is checked is what is dialled.

mod address;
mod body;
mod exchange;
mod failure;
mod network;
mod recorded;
mod resolve;
mod shadow;
mod target;
mod trust;

pub use network::HttpConfig;
pub(in crate::sandbox) use network::Network;
pub use recorded::{Beyond, MadeRequest, Playback, RecordedAnswer};
pub use resolve::Resolve;
pub(crate) use target::authority;
pub(crate) use trust::Trust;

use super::Lines;
use crate::sandbox::attempt::AttemptState;
use crate::sandbox::grants::{Grants, Origin};
use crate::sandbox::limits::Limits;
use body::{Excess, Held, RequestBody, ResponseBody};
use exchange::{Answer, Exchange};
use failure::{Failure, Journal};
use http::response::Parts;
use http::{HeaderName, Request, Response, header};
use http_body_util::BodyExt;
use recorded::Asked;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi_http::{
    Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

/// Where a URL leads; `None` where two readers might disagree.
pub(crate) fn origin_of(uri: &http::Uri) -> Option<Origin> {
    target::origin(uri).ok()
}

/// Requests of one attempt that are under way at once; more wait in their own time.
const REQUESTS_AT_ONCE: usize = 8;
/// What a guest may write of a body before the network has taken what was written before.
const BODY_CHUNK_BYTES: usize = 16 * 1024;

pub(super) fn add_to_linker(linker: &mut Linker<AttemptState>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    shadow::add_to_linker(linker)
}

/// An attempt's requests. Costs nothing until there is one.
pub(in crate::sandbox) struct Outgoing {
    ctx: WasiHttpCtx,
    /// Bytes of header fields that the guest may still make; that it drops some makes no room, for it need not.
    field_bytes_left: usize,
    field_bytes_max: usize,
    hooks: Hooks,
}

/// Where an attempt's requests may go, and who answers them.
pub(in crate::sandbox) struct Reach {
    pub(in crate::sandbox) network: Arc<Network>,
    pub(in crate::sandbox) playback: Option<Arc<Playback>>,
    pub(in crate::sandbox) grants: Arc<Grants>,
}

struct Hooks {
    reach: Reach,
    limits: Limits,
    journal: Journal,
    requests: u32,
    bodies: u32,
    under_way: Option<UnderWay>,
}

struct UnderWay {
    exchanges: JoinSet<()>,
    places: Arc<Semaphore>,
}

impl Outgoing {
    pub(in crate::sandbox) fn new(reach: Reach, limits: Limits, lines: Arc<Lines>) -> Self {
        let mut ctx = WasiHttpCtx::new();
        // It counts what a map takes in memory, which for short fields is more than their text.
        let map_bytes_max = limits.http_header_bytes_max.saturating_mul(2);
        ctx.set_field_size_limit(map_bytes_max);
        let maps = usize::try_from(limits.http_requests_max).unwrap_or(usize::MAX).saturating_add(1);
        let field_bytes_max = map_bytes_max.saturating_mul(maps);
        let journal = Journal { lines };
        let hooks = Hooks { reach, limits, journal, requests: 0, bodies: 0, under_way: None };
        Outgoing { ctx, field_bytes_left: field_bytes_max, field_bytes_max, hooks }
    }

    pub(in crate::sandbox) fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView { hooks: &mut self.hooks, table, ctx: &mut self.ctx }
    }

    /// Header fields are kept by this process, where the guest's memory limit does not count them.
    pub(in crate::sandbox) fn keep_fields(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let Some(left) = self.field_bytes_left.checked_sub(bytes) else {
            let max = self.field_bytes_max;
            wasmtime::bail!("the handler made more than {max} bytes of HTTP header fields, the limit");
        };
        self.field_bytes_left = left;
        Ok(())
    }

    /// Closes what is still open, and ends when it is closed. Dropping does the same a moment later.
    pub(in crate::sandbox) async fn close(&mut self) {
        if let Some(mut under_way) = self.hooks.under_way.take() {
            under_way.exchanges.shutdown().await;
        }
    }
}

impl WasiHttpView for AttemptState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.outgoing()
    }
}

/// What wasmtime waits for: the response's head and body, and work that goes on beside it, of which there
/// is none.
type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        target::is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(target::is_forbidden)
    }

    /// It is set from the origin, in one spelling.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let origin = target::method(request.method()).and_then(|()| target::origin(request.uri()));
        let playback = self.reach.playback.as_ref();
        let asked = playback.map(|playback| Asked::of(playback, &request, origin.as_ref().ok()));
        let to = origin.as_ref().ok().cloned();
        let started = origin.and_then(|origin| {
            let target = Target { origin, options: options.unwrap_or_default(), asked: asked.clone() };
            self.start(target, request)
        });
        let pending = started.map_err(|failure| {
            self.journal.tell(to.as_ref(), &failure);
            if let Some(asked) = asked {
                asked.failed(&failure.why);
            }
            failure.code
        });
        Box::new(async move {
            let (head, body) = pending?;
            let head = head.await.unwrap_or_else(|_| Err(Error::ConnectionTerminated))?;
            let response = Response::from_parts(head, body.boxed_unsync());
            Ok((response, Box::new(std::future::ready(Ok(()))) as _))
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        self.bodies = self.bodies.saturating_add(1);
        1
    }

    /// Bodies are held by this process. Those beyond the number of requests can never be sent, so there is
    /// no need to hold anything of them.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        if self.bodies > self.limits.http_requests_max { 1 } else { BODY_CHUNK_BYTES }
    }
}

/// What a request is for, beside its head and body.
struct Target {
    origin: Origin,
    options: RequestOptions,
    asked: Option<Asked>,
}

type Pending = (oneshot::Receiver<Result<Parts, Error>>, ResponseBody);

impl Hooks {
    /// Checks what can be checked without the network, and hands over the rest.
    fn start(&mut self, target: Target, request: Request<WasiBody>) -> Result<Pending, Failure> {
        let origin = &target.origin;
        if !self.reach.grants.http.iter().any(|pattern| pattern.matches(origin)) {
            return Err(Failure::not_granted(origin));
        }
        let limits = self.limits;
        if self.requests >= limits.http_requests_max {
            let why = format!("this attempt has sent {} requests, the limit", self.requests);
            return Err(Failure::new(Error::HttpRequestDenied, why));
        }
        self.requests += 1;
        let (mut head, body) = request.into_parts();
        head.uri = target::path(&head.uri, limits.http_header_bytes_max)?;
        target::headers(&mut head.headers, origin, limits.http_header_bytes_max)?;
        let announced =
            head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(bytes) = announced.filter(|bytes| *bytes > limits.http_request_bytes_max) {
            let why =
                format!("its body has {bytes} bytes, over the limit of {}", limits.http_request_bytes_max);
            return Err(Failure::new(Error::HttpRequestBodySize(Some(bytes)), why));
        }
        let body = RequestBody {
            inner: body,
            bytes_left: limits.http_request_bytes_max,
            trailer_bytes_max: limits.http_header_bytes_max,
            excess: Excess::default(),
        };
        self.hand_over(target, Request::from_parts(head, body))
    }

    fn hand_over(&mut self, target: Target, request: Request<RequestBody>) -> Result<Pending, Failure> {
        let Target { origin, options, asked } = target;
        let under_way = self.under_way.get_or_insert_with(|| UnderWay {
            exchanges: JoinSet::new(),
            places: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
        });
        while under_way.exchanges.try_join_next().is_some() {}
        let exchange = Exchange {
            network: self.reach.network.clone(),
            grants: self.reach.grants.clone(),
            origin,
            limits: self.limits,
            options,
            asked,
            places: under_way.places.clone(),
            journal: self.journal.clone(),
        };
        let (head, waiting) = oneshot::channel();
        let (frames, received) = mpsc::channel(1);
        let (ending, ended) = oneshot::channel();
        let answer = Answer { head: Some(head), frames, ending };
        let exchange =
            under_way.exchanges.spawn_on(exchange.run(request, answer), self.reach.network.handle()?);
        let body = ResponseBody { frames: received, ending: ended, _exchange: Held(exchange), ended: false };
        Ok((waiting, body))
    }
}
