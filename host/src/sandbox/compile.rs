//! Machine code for components, made where a component that attacks its compiler harms nobody.

mod cache;
mod child;
mod frame;
mod spawn;
mod talk;
mod turns;

pub use child::{compile_if_asked, is_compiler};

use super::engine::Lane;
use super::lane::Lanes;
use super::trap::without_backtrace;
use super::{Limits, LoadError};
use cache::Cache;
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use turns::{Places, Turns};
use wasmtime::component::Component;

const CACHE_BYTES_MAX: u64 = 2 << 30;
/// Of machine code; more is loaded once for all lanes.
const COPIED_BYTES_MAX: usize = 4 << 20;

/// Where components are compiled. Compiling is where a component can first do harm: a small one can take
/// minutes of every processor and gigabytes of memory. So there is no default: whoever builds a sandbox says
/// whether it is trusted.
#[derive(Debug, Clone)]
pub enum Compilation {
    /// In a child process each, with bounds on time and memory: for components of others.
    Child(ChildCompiler),
    /// In this process, without bounds: for those who trust whoever made their components.
    InProcess,
}

/// How child processes compile. What each may use is in [`Limits`]: `compile_time_max`,
/// `compile_memory_bytes_max`, `component_bytes_max`.
#[derive(Debug, Clone)]
pub struct ChildCompiler {
    /// The program that is started; its `main` begins with [`compile_if_asked`].
    pub program: PathBuf,
    /// Where machine code is kept from one start to the next. Made when it is not there; refused when anybody
    /// but this user may read or change what is in it. `None`: every start compiles anew.
    pub cache_folder: Option<PathBuf>,
    /// Bytes that the folder may hold; what was not used for longest goes first.
    pub cache_bytes_max: u64,
    /// Children at once, each with one thread. More components wait.
    pub at_once: NonZeroU32,
}

impl ChildCompiler {
    /// Children are this program again; no cache; half of the processors.
    ///
    /// # Errors
    /// When the system does not say where this program is.
    pub fn this_program() -> std::io::Result<Self> {
        // On Linux the very file that runs, also once another was put in its place.
        let running = PathBuf::from("/proc/self/exe");
        let program = if running.exists() { running } else { std::env::current_exe()? };
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        Ok(ChildCompiler {
            program,
            cache_folder: None,
            cache_bytes_max: CACHE_BYTES_MAX,
            at_once: NonZeroU32::new(cores / 2).unwrap_or(NonZeroU32::MIN),
        })
    }
}

/// What one compilation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    time_max: Duration,
    memory_bytes_max: usize,
}

/// What machine code was made from, and for: whatever differs here must never be taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    component: [u8; 32],
    metered: bool,
    /// The compiler's version and every setting that shows in its output.
    compatibility: [u8; 32],
}

/// Machine code that this process or a child of it made, or that the cache vouches for. Made nowhere else.
#[derive(Debug, Clone)]
struct MachineCode(Arc<Vec<u8>>);

/// Compiles as [`Compilation`] says.
#[derive(Debug)]
pub(super) struct Compiler {
    children: Option<Children>,
}

#[derive(Debug)]
struct Children {
    program: PathBuf,
    cache: Option<Cache>,
    places: Places,
    turns: Turns,
}

impl Compiler {
    pub(super) fn new(compilation: &Compilation) -> Result<Self, String> {
        let Compilation::Child(settings) = compilation else { return Ok(Compiler { children: None }) };
        if child::is_asked() {
            // Else it would start itself over and over.
            return Err("this process was started to compile one component, but its main does not begin \
                 with flowmonkey_jobs::sandbox::compile_if_asked()"
                .into());
        }
        let cache = match &settings.cache_folder {
            Some(folder) => Cache::open(folder, settings.cache_bytes_max)?,
            None => None,
        };
        // A child starts in another folder.
        let program = std::path::absolute(&settings.program).map_err(|error| error.to_string())?;
        let (places, turns) = (Places::new(settings.at_once), Turns::default());
        Ok(Compiler { children: Some(Children { program, cache, places, turns }) })
    }

    /// The component, ready for these lanes, whose engines are alike. Blocks, also while others compile.
    pub(super) fn components(
        &self,
        lanes: &Lanes<Arc<Lane>>,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Lanes<Component>, LoadError> {
        let engine = &lanes.first().engine;
        let Some(children) = &self.children else {
            let code = engine.precompile_component(bytes);
            let code = code.map_err(|error| LoadError::Compile(without_backtrace(&error)))?;
            return load(lanes, &MachineCode(Arc::new(code))).map_err(LoadError::Compile);
        };
        let key = Key {
            component: Sha256::digest(bytes).into(),
            metered: limits.fuel.is_some(),
            compatibility: frame::compatibility(engine),
        };
        let bounds =
            Bounds { time_max: limits.compile_time_max, memory_bytes_max: limits.compile_memory_bytes_max };
        let code = children.turns.once(key, bounds, || children.code(&key, bounds, bytes))?;
        load(lanes, &code).map_err(|why| {
            if let Some(cache) = &children.cache {
                cache.discard(&key, &why);
            }
            LoadError::Compiler(format!("its machine code cannot be loaded: {why}"))
        })
    }
}

impl Children {
    fn code(&self, key: &Key, bounds: Bounds, bytes: &[u8]) -> Result<MachineCode, LoadError> {
        match self.cache.as_ref().and_then(|cache| cache.load(key)) {
            Some(code) => Ok(code),
            None => self.compile(key, bounds, bytes),
        }
    }

    fn compile(&self, key: &Key, bounds: Bounds, bytes: &[u8]) -> Result<MachineCode, LoadError> {
        let code = {
            let _place = self.places.take();
            spawn::compile(&self.program, key, bounds, bytes)?
        };
        if let Some(cache) = &self.cache {
            cache.store(key, &code);
        }
        Ok(code)
    }
}

/// The one place where bytes become code. Each lane has a copy, but of large code, whose attempts are no short ones.
#[expect(unsafe_code, reason = "wasmtime cannot check machine code; where it came from is all there is")]
fn load(lanes: &Lanes<Arc<Lane>>, code: &MachineCode) -> Result<Lanes<Component>, String> {
    let own = if code.0.len() > COPIED_BYTES_MAX { &lanes.all()[..1] } else { lanes.all() };
    let component = |lane: &Arc<Lane>| {
        // SAFETY: these bytes are what wasmtime made here or in a child of ours; they came through that child's
        // pipe or from a file in a folder that only this user can write, whose hash says that it is whole.
        unsafe { Component::deserialize(&lane.engine, code.0.as_slice()) }
    };
    Lanes::of(own, component).map_err(|error| without_backtrace(&error))
}
