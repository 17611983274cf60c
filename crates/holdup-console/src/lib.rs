//! The console: a live page for a watched app, on a listener and a thread of its own, so that it
//! answers while every worker of the app is blocked.
//!
#![cfg_attr(feature = "probe", doc = "```no_run")]
#![cfg_attr(not(feature = "probe"), doc = "```ignore")]
//! # use actix_web::{App, HttpServer, web};
//! # async fn report() -> &'static str { "" }
//! # #[actix_web::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use holdup_console::Console;
//!
//! let watch = holdup_watch::Watch::new();
//! let _console = Console::builder(&watch, "127.0.0.1:8081")
//!     .app("http://127.0.0.1:8080")
//!     .button("/report")
//!     .start()?;
//! HttpServer::new({
//!     let watch = watch.clone();
//!     move || App::new().route("/report", web::get().to(report)).wrap(watch.clone())
//! })
//! .bind("127.0.0.1:8080")?
//! .run()
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! | path | what it is |
//! |---|---|
//! | `/` | the page: requests as lanes against time, a strip for each worker, probes of the app |
//! | `/events` | all of that as server-sent events: a snapshot, then what changes |
//! | `/state` | the snapshot alone, as JSON |
//! | `/trace.json` | the last minute as a trace for [Perfetto](https://ui.perfetto.dev) |
//! | `/metrics` | figures for Prometheus |
//! | `/healthz` | `ok`, or 503 when a thread of the watch does not run: see [below](#health) |
//! | `POST /probe` | probes one of the routes that the developer named; `DELETE` stops it |
//!
//! # Features
//!
//! - `probe` (off by default): `Builder::button`, for buttons that probe routes of the app. It brings an
//!   HTTP client with TLS, `holdup-probe`. Without it the page only watches, and there is no `/probe`.
//!
//! # More on the page
//!
//! A [`Section`] adds HTML and a script of the app's own to the page, and [`Builder::intro`] shows what to
//! try first. How much a console keeps and serves is bounded: [`Builder::lanes`] and the methods after it
//! set the bounds.
//!
//! # Health
//!
//! `/healthz` answers `ok` while the threads of the watch run, whatever the app does: also while all of
//! its workers are blocked. When one of them ended, or the system had no room for it, it answers 503 and
//! lists them ([`Watch::health`](holdup_watch::Watch::health)): the app is served all the same, but something
//! is not seen, not logged or not counted any more.
//!
//! ```text
//! [+]holdup-watch running
//! [-]holdup-log not started: the system had no room for a thread
//! healthz check failed
//! ```
//!
//! So let it raise an alert, but do not have Kubernetes restart the app by it (`livenessProbe`). Whether the
//! app itself is alive, only the app can answer.
//!
//! # Who may look
//!
//! There is no password. On a loopback address only this machine reaches it. Elsewhere everybody
//! who reaches the port sees routes, paths and client addresses; paths are without their query
//! unless [`Watch::record_query`](holdup_watch::Watch::record_query) includes it.
//!
//! Pages of other sites, open in the same browser, do not get in:
//!
//! - A site can have its own name lead to this machine (DNS rebinding). So a request is answered only
//!   when its host is an IP address, `localhost`, a name that ends in `.localhost`, or one that
//!   [`Builder::allow_host`] names; others get 403, and a request without a host gets 400.
//! - A request that another site's page makes, as the browser reports it (`Sec-Fetch-Site`, `Origin`), gets
//!   403, except for a link to `/`. The page could not read the answer, but it would take a reader's place.
//! - Only the page itself can start a probe, one at a time, and of no other URL than the buttons'.
//!
//! # What it costs
//!
//! While a console runs, requests are recorded as lanes; their chunks only while somebody looks.
//! The newest hundred lanes are kept and sent, the others counted, and every reader gets the same
//! bytes, so neither streams nor readers add up. A reader that stops reading costs its
//! connection's buffers for half a minute.
//!
//! On Linux, while a worker is held, the kernel's table of connections is read to find those that
//! wait to be read. It takes up to a fifth of one core, on a thread of its own.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod board;
mod bounds;
mod builder;
mod change;
mod console;
mod error;
mod events;
mod guard;
mod health;
mod holds;
mod hub;
mod lane;
mod looks;
mod message;
mod names;
mod page;
mod probes;
mod section;
mod server;
mod site;
mod trace;
mod unread;
mod waits;

pub use self::builder::Builder;
pub use self::console::Console;
pub use self::error::StartError;
pub use self::names::host_name;
#[cfg(feature = "probe")]
#[cfg_attr(docsrs, doc(cfg(feature = "probe")))]
pub use self::probes::{Button, Parameter, Values};
pub use self::section::Section;
