//! One attempt of one job: a fresh instance, bounded in every direction, that can reach nothing but
//! what it was given. Knows no database; what a guest stores goes through [`AttemptHost`].

mod admission;
mod attempt;
mod batch;
mod capability;
mod compile;
mod config_values;
mod control;
mod description;
mod engine;
mod grants;
mod inspection;
mod lane;
mod limits;
mod shape;
mod stdio;
mod swap;
mod ticker;
mod trap;

pub use admission::{Grant, LoadError, Supply, Surface};
pub use attempt::{AttemptContext, JobFacts};
pub use capability::{
    AttemptHost, Beyond, HostFault, HttpConfig, LogLevel, MadeRequest, Playback, RecordedAnswer, Resolve,
};
pub(crate) use capability::{Trust, authority, origin_of};
pub use compile::{ChildCompiler, Compilation, compile_if_asked, is_compiler};
pub use config_values::{ConfigValues, SecretTooShort};
pub use control::{Control, Directive, Interruption};
pub use grants::{Allowance, Grants, InvalidOrigin, Meeting, Origin, OriginPattern, Scheme};
pub use inspection::{CustomBytes, Format, Inspection, Names, Producer, Size, Sizes, inspect};
pub use limits::Limits;
pub use swap::is_swap_possible;

use crate::job::{ErrorCode, JobError, JsonText, Outcome, Report, Usage};
use attempt::AttemptState;
use capability::Network;
use compile::Compiler;
use description::Callee;
use engine::{Engines, Lane};
use lane::Lanes;
use std::any::Any;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Poll;
use ticker::Busy;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use wasmtime::component::Linker;

/// The guests' side of the contract, from `wit/`.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "job-handler",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

/// How a sandbox is built. What may differ from attempt to attempt is in [`Limits`].
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// How many attempts may be under way at once; more wait for a place.
    pub attempts_max: NonZeroU32,
    /// No attempt's memory limit may be above this, in bytes.
    pub memory_bytes_ceiling: usize,
    /// No attempt's stack may be larger, in bytes.
    pub stack_bytes_ceiling: usize,
    /// OS threads that run guests; guests take turns on them every millisecond.
    pub threads: NonZeroU32,
    /// Where components are compiled.
    pub compilation: Compilation,
    /// How guests reach the network, where they may.
    pub http: HttpConfig,
}

impl SandboxConfig {
    /// The defaults, but for what has none: whether components are trusted.
    pub fn new(compilation: Compilation) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        SandboxConfig {
            attempts_max: NonZeroU32::MIN.saturating_add(31),
            memory_bytes_ceiling: Limits::ceiling().memory_bytes_max,
            stack_bytes_ceiling: Limits::ceiling().stack_bytes_max,
            threads: NonZeroU32::new(threads).unwrap_or(NonZeroU32::MIN),
            compilation,
            http: HttpConfig::default(),
        }
    }
}

/// Why there can be no sandbox on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox cannot start: {0}")]
pub struct SandboxError(String);

/// A compiled and linked component: all that is left for an attempt is to instantiate it.
pub struct Prepared {
    metered: bool,
    surface: Surface,
    linked: Lanes<Arc<Linked>>,
}

/// A component on one engine, linked to what the host offers.
struct Linked {
    pre: bindings::JobHandlerPre<AttemptState>,
    lane: Arc<Lane>,
}

impl Prepared {
    /// What the component exports and asks for.
    pub fn surface(&self) -> &Surface {
        &self.surface
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("metered", &self.metered).finish_non_exhaustive()
    }
}

/// Runs guests, on threads of its own so that no guest can hold up its host.
pub struct Sandbox {
    engines: Engines,
    compiler: Compiler,
    attempts_max: usize,
    places: Arc<Semaphore>,
    memory_bytes_ceiling: usize,
    network: Network,
    /// `None` only while dropping.
    guests: Option<Runtime>,
}

impl Sandbox {
    /// Reserves address space for pooled instances, or falls back to allocating on demand where the
    /// system does not allow that, and starts the threads.
    ///
    /// # Errors
    /// When even the plain configuration is refused, threads cannot be started, the folder for machine code
    /// is not this user's alone, or the extra root certificates are none.
    pub fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let failed = |what: &str, why: String| SandboxError(format!("{what}: {why}"));
        let compiler = Compiler::new(&config.compilation).map_err(|why| failed("compiler", why))?;
        let engines =
            Engines::new(config.clone()).map_err(|error| failed("wasmtime", format!("{error:#}")))?;
        let next_lane = AtomicUsize::new(0);
        let guests = Builder::new_multi_thread()
            .worker_threads(config.threads.get() as usize)
            .thread_name("guest")
            .on_thread_start(move || lane::enter(&next_lane))
            .enable_time()
            // Look at timers, and at what comes from other threads, every few polls: with spinning guests a poll takes a
            // whole tick.
            .event_interval(3)
            .global_queue_interval(3)
            .build()
            .map_err(|error| failed("threads", error.to_string()))?;
        let network = Network::new(&config.http).map_err(|why| failed("http", why))?;
        Ok(Sandbox {
            engines,
            compiler,
            attempts_max: config.attempts_max.get() as usize,
            places: Arc::new(Semaphore::new(config.attempts_max.get() as usize)),
            memory_bytes_ceiling: config.memory_bytes_ceiling,
            network,
            guests: Some(guests),
        })
    }

    /// How many attempts are under way.
    pub fn attempts(&self) -> usize {
        self.attempts_max.saturating_sub(self.places.available_permits())
    }

    /// Whether instances come from a pool; else each is allocated on demand, which is slower.
    pub fn is_pooled(&self) -> bool {
        self.engines.pooled
    }

    /// Compiles and links a component. Takes milliseconds, or as long as the limits allow, and its turn after
    /// others: call it where blocking is allowed. The limits are those that its attempts will have: some are compiled in.
    ///
    /// # Errors
    /// [`LoadError`] says what the bytes are instead, or which imports and exports are wrong and what
    /// would mend that.
    pub fn prepare(&self, bytes: &[u8], limits: &Limits) -> Result<Prepared, LoadError> {
        let surface = admission::admit(bytes, limits)?;
        let lanes = self.engines.get(limits).map_err(|error| LoadError::Host(format!("{error:#}")))?;
        let components = self.compiler.components(&lanes, bytes, limits)?;
        surface.check_types(components.first())?;
        let linked = lanes.with(&components, |lane, component| {
            let mut linker = Linker::new(&lane.engine);
            capability::add_to_linker(&mut linker)?;
            let pre = linker.instantiate_pre(component).and_then(bindings::JobHandlerPre::new)?;
            Ok(Arc::new(Linked { pre, lane: lane.clone() }))
        });
        let linked =
            linked.map_err(|error: wasmtime::Error| LoadError::Link(trap::without_backtrace(&error)))?;
        Ok(Prepared { metered: limits.fuel.is_some(), surface, linked })
    }

    /// Runs one attempt to its end, whatever that is. Never fails: what goes wrong is the outcome.
    ///
    /// The wall clock starts when a place is free. When the returned future is dropped, the guest is
    /// stopped too.
    pub async fn run(&self, prepared: &Prepared, context: AttemptContext) -> Report {
        let linked = prepared.linked.clone();
        self.call(move || Callee::Run(linked.here().clone()), prepared.metered, context).await
    }

    /// A place for one attempt after the other, once one is free. `None` while the sandbox goes away.
    pub async fn seat(&self) -> Option<Seat> {
        let place = self.places.clone().acquire_owned().await.ok()?;
        Some(Seat {
            network: Arc::new(self.network.clone()),
            memory_bytes_ceiling: self.memory_bytes_ceiling,
            _busy: self.engines.ticker.busy(),
            _place: place,
        })
    }

    /// Puts work beside the guests, on their threads. It must give way as they do: nothing else runs there meanwhile.
    /// `None` while the sandbox goes away.
    pub fn spawn<F>(&self, work: F) -> Option<JoinHandle<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.guests.as_ref().map(|guests| guests.spawn(work))
    }

    /// What a component says of itself: an object. `None` when it does not export
    /// `flowmonkey:jobs/metadata`. It runs as an attempt does, in an instance of its own within these limits, but for
    /// 5 s at most, without a job, and every call that could change or reach something is denied.
    ///
    /// # Errors
    /// `INVALID_OUTPUT` and `OUTPUT_TOO_LARGE` (over 256 KiB) say what is wrong with the answer; the other codes
    /// are those of an attempt.
    pub async fn describe(&self, prepared: &Prepared, limits: &Limits) -> Result<Option<JsonText>, JobError> {
        let Some(callee) = Callee::describe(prepared)? else { return Ok(None) };
        let report = self.call(|| callee, prepared.metered, description::context(limits)).await;
        description::answer(report.outcome).map(Some)
    }

    /// The callee is chosen where it runs. Waits for a place.
    async fn call(
        &self,
        callee: impl FnOnce() -> Callee + Send + 'static,
        metered: bool,
        context: AttemptContext,
    ) -> Report {
        let Some(seat) = self.seat().await else { return released() };
        let guest = self.spawn(async move { seat.call(callee(), metered, context).await });
        let Some(guest) = guest else { return released() };
        AbortOnDrop(guest).join().await
    }
}

/// A place among the attempts that may be under way at once, held from one attempt to the next.
pub struct Seat {
    /// In a count of its own, which other threads do not touch.
    network: Arc<Network>,
    memory_bytes_ceiling: usize,
    _busy: Busy,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    /// As [`Sandbox::run`], for those whom [`Sandbox::spawn`] has put where guests run: saves the way there and back,
    /// which takes longer than a short attempt.
    pub async fn run(&self, prepared: &Prepared, context: AttemptContext) -> Report {
        self.call(Callee::Run(prepared.linked.here().clone()), prepared.metered, context).await
    }

    /// On the guests' threads. A panic there is the sandbox's own, and costs this attempt alone.
    async fn call(&self, callee: Callee, metered: bool, mut context: AttemptContext) -> Report {
        context.limits.memory_bytes_max = context.limits.memory_bytes_max.min(self.memory_bytes_ceiling);
        let mut attempt = pin!(attempt::run(callee, metered, context, self.network.clone()));
        let ended = poll_fn(|turn| {
            let polled = catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(turn)));
            polled.map_or_else(|panic| Poll::Ready(Err(panic)), |polled| polled.map(Ok))
        });
        ended.await.unwrap_or_else(|panic| failed(panic_text(&*panic)))
    }
}

fn released() -> Report {
    Report { outcome: Outcome::Released, usage: Usage::default() }
}

fn failed(why: &str) -> Report {
    let message = format!("the sandbox itself failed, which is a bug: {why}");
    let error = JobError::host(ErrorCode::Trap, message);
    Report { outcome: Outcome::Retryable { error, after: None }, usage: Usage::default() }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}

/// A guest must not outlive the attempt that waits for it.
struct AbortOnDrop(JoinHandle<Report>);

impl AbortOnDrop {
    async fn join(mut self) -> Report {
        (&mut self.0).await.unwrap_or_else(|error| failed(&error.to_string()))
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Waiting for guests here would block; dropped from async code it would even panic.
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}
