//! Detects which request blocks which worker, and for how long. This crate depends on no web framework.
//!
//! A middleware has a [`Detector`]. On each worker, it asks the detector for a [`Worker`]. For each request,
//! it opens a [`Request`], and [enters](Request::enter) it for each call and each poll. Everything else
//! happens outside of the workers:
//!
//! ```text
//! workers ── cells, queues ──▶ collector ──▶ bounded channels ──▶ log · metrics · callbacks · names of stacks
//!                                        ├─▶ memory: the holds that are over
//!                                        └─▶ subscriptions: what a console shows
//! ```
//!
//! A worker writes atomics and bounded queues, and never waits. The collector drains the queues, takes
//! samples and asks workers for heartbeats. The log, the metrics, the callbacks, the lookup of symbols and
//! the record have a thread each, so one that blocks or panics delays only its own work. A thread that panics is
//! restarted, and [`Detector::health`] reports that.
//!
//! ```
//! use std::time::Duration;
//!
//! use holdup_detect::{Detector, Request, Route};
//! use holdup_model::Part;
//!
//! # fn main() -> std::io::Result<()> {
//! let detector = Detector::new();
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
//! tokio::task::LocalSet::new().block_on(&runtime, async {
//!     let worker = detector.worker(|task| drop(tokio::task::spawn_local(task)));
//!     let (method, pattern) = ("GET", "/report".to_owned());
//!     let route = worker.route_number(Route { method, pattern });
//!
//!     let request = Request::open(&worker, route, |_with_query| ("/report", None));
//!     let poll = request.enter(Part::Future);
//!     std::thread::sleep(Duration::from_millis(150));
//!     drop(poll);
//! });
//! let holds = detector.failing().holds;
//! assert_eq!(holds[0].culprits[0].route, "/report");
//! # Ok(())
//! # }
//! ```
//!
//! The modules, each of which uses only those above it:
//!
//! - `clock`, `system`: the clock, which tests replace, and what the system reports about threads.
//! - `version`, `cell`, `open_state`, `wake_up`, `doze`: what one thread writes and others read at any time.
//! - `busy_period`, `gap`, `run_queue`, `routes`, `socket_beat`, `worker_state`: what a worker records.
//! - `slot`, `slots`, `seat`: the open requests of a worker, and how they are woken. `recent`, `lost`: what they
//!   lose. `blockers`: the spans of those that ran for long.
//! - `record`, `samples`, `lasting`, `memory`, `times`, `losses`, `spans`, `lanes`, `looks`, `subscription`, `oversleep`,
//!   `settings`, `threads`: what other threads derive from these records, gathered in `shared`.
//! - `worker`, `polls`, `ending`, `blocking`, `starving`, `places`, `request`, `tasks`: what runs on a worker.
//!   `observe`, `look`, `collector`: what runs outside.
//! - `outlets`, `sink`: from the collector to the other threads. `start` starts them all.
//! - `captured`, `trace`: where a future waits that a test polls.

#![forbid(unsafe_code)]

mod blockers;
mod blocking;
mod busy_period;
mod captured;
mod cell;
mod clock;
mod collector;
mod detector;
mod doze;
mod ending;
mod flush;
mod gap;
mod lanes;
mod lasting;
mod look;
mod looks;
mod losses;
mod lost;
mod memory;
mod naming;
mod observe;
mod open_state;
mod outlets;
mod oversleep;
mod places;
mod polls;
mod recent;
mod record;
mod request;
mod routes;
mod run_queue;
mod samples;
mod seat;
mod settings;
mod shared;
mod sink;
mod slot;
mod slots;
mod socket_beat;
mod spans;
#[cfg_attr(not(feature = "stacks"), path = "no_stack.rs")]
mod stack;
mod start;
mod starving;
mod subscription;
mod sync;
mod system;
mod tasks;
mod threads;
mod times;
mod trace;
mod version;
mod wake_up;
mod worker;
mod worker_state;
mod workers;

pub use self::clock::Time;
pub use self::detector::{Detector, Failing, MostHeldUp};
pub use self::request::{PollSpan, Request};
pub use self::routes::Route;
pub use self::settings::{LogLevel, THRESHOLD};
pub use self::sink::metrics::Figures;
pub use self::subscription::Subscription;
pub use self::system::waited_for_cpu;
pub use self::tasks::Task;
pub use self::threads::{Spawner, ThreadHealth, ThreadState};
pub use self::trace::{TRACES, Traced, trace};
pub use self::worker::Worker;
pub use holdup_record::{FolderError as RecordError, Options as RecordOptions};
