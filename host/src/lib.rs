//! A background-job runner for people who must run handlers they did not write.
//!
//! Jobs live in a [`store`]; a [`runner`] claims them and runs each attempt in the [`sandbox`], in a
//! fresh WebAssembly instance that can reach nothing but what it was given. A committed job is never
//! lost; it runs at least once; at most one attempt's outcome is recorded; a handler can harm nothing
//! but its own attempt.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use flowmonkey_jobs::job::{JsonText, NewJob};
//! use flowmonkey_jobs::{catalog::Catalog, metrics::JobMetrics, reaper::Reaper, runner::Runner};
//! use flowmonkey_jobs::sandbox::{ChildCompiler, Compilation, Sandbox, SandboxConfig, compile_if_asked};
//! use flowmonkey_jobs::{scheduler::Scheduler, store::JobStore, store::PgStore};
//! use std::{path::Path, sync::Arc};
//!
//! compile_if_asked();   // first in main: components are compiled in children, which are this program again
//! let compilation = Compilation::Child(ChildCompiler::this_program()?);
//! let sandbox = Sandbox::new(&SandboxConfig::new(compilation))?;
//!
//! let store = Arc::new(PgStore::connect("postgres://localhost/app", 10).await?);
//! let catalog = Arc::new(Catalog::new(Arc::new(sandbox)));
//! catalog.load_folder(Path::new("handlers"), &Default::default()).await?;
//!
//! let runner = Runner::builder(store.clone()).handlers(catalog).runner_id("worker-1").build()?;
//! let events = runner.events().subscribe();   // claimed, started, progress, completed, …
//! let scheduler = Scheduler::new(store.clone()).start(Default::default());
//! let reaper = Reaper::start(store.clone(), Default::default());
//! runner.start();
//!
//! store.create(NewJob::new("email-send", JsonText::parse(r#"{"to": "ada@example.com"}"#)?)).await?;
//! let stats = JobMetrics::new(store.clone()).stats_by_handler().await?;
//!
//! tokio::signal::ctrl_c().await?;
//! runner.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod catalog;
pub mod clock;
pub mod job;
pub mod metrics;
pub mod reaper;
pub mod runner;
pub mod sandbox;
pub mod scheduler;
pub mod store;
pub mod telemetry;
pub mod trial;
pub mod units;
