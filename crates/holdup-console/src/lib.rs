//! A live page for a watched app: which request blocks which worker right now? It has a listener and a
//! thread of its own, so it answers while every worker of the app is blocked.
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
//! | `/` | the page: a lane for each request, a strip for each worker, and buttons that probe the app |
//! | `/events` | the page's data as server-sent events: a snapshot, then each change |
//! | `/state` | the snapshot alone, as JSON |
//! | `/requests` | the open requests, the oldest first: what each does, and where it waits |
//! | `/waits` | the places at which requests wait, and who lost how much time to whom |
//! | `/trace.json` | the last minute as a trace for [Perfetto](https://ui.perfetto.dev) |
//! | `/metrics` | figures for Prometheus |
//! | `/healthz` | `ok` while the watch's own threads run, and otherwise 503: see [below](#health) |
//! | `POST /probe` | probes the route of one of the buttons; `DELETE` stops it |
//!
//! # Features
//!
//! - `probe` (off by default) adds `Builder::button`, for buttons that probe routes of the app,
//!   `Builder::beside`, for another route that is asked meanwhile, and the path `/probe`. It brings the prober
//!   (`holdup-probe`) with its HTTP client and TLS.
//!
//! # Where requests wait
//!
//! A request that waits for a lock, a connection of a pool or another server holds no worker. The page lists
//! the lines of code at which requests have waited for at least the watch's threshold, with how many wait
//! there. If fewer requests of the same route are elsewhere, it says what they do: one of them may have the lock
//! that the others wait for. Below the lanes, a table shows which routes made others wait, and for how long.
//!
//! `/requests` and `/waits` answer the same for programs, from all open requests. `min_age_ms` leaves out
//! requests that are not that old; in `/waits`, those that have not waited that long. `most` sets how many
//! requests `/requests` lists: 1000 by default, and 10,000 at most.
//!
//! The lines are known if the app enables the feature `stacks` of `holdup-watch`.
//!
//! # What was recorded
//!
//! [`Console::replay`] shows a record of `Watch::record` on the same page, with play, pause, speed and a slider. All paths
//! answer for the time at which the replay is, and `POST /replay` moves it: a JSON document with `playing`, `speed` or
//! `at_ms`, from the page itself only. `/metrics` has nothing then, and `/probe` is not there.
//!
//! # More on the page
//!
//! A [`Section`] adds HTML and a script of the app's own to the page. [`Builder::intro`] sets what the page
//! shows before there are requests. A console keeps and serves a bounded amount: [`Builder::lanes`] and the
//! methods after it set the bounds.
//!
//! # Health
//!
//! `/healthz` answers `ok` while the watch's own threads run, even while all workers of the app are blocked.
//! When one of these threads has ended, or the system had no room for it, `/healthz` answers 503 and lists
//! them ([`Watch::health`](holdup_watch::Watch::health)). The app is served all the same, but the watch no
//! longer observes, logs or counts everything.
//!
//! ```text
//! [+]holdup-watch running
//! [-]holdup-log not started: the system had no room for a thread
//! healthz check failed
//! ```
//!
//! Use it for an alert, but not to restart the app (Kubernetes' `livenessProbe`): a failed thread
//! of the watch does not mean that the app has failed.
//!
//! # Who can read it
//!
//! The console has no password. On a loopback address, only this machine reaches it. On any other address,
//! everybody who reaches it can read routes, paths and client addresses. Paths come without their query
//! unless [`Watch::record_query`](holdup_watch::Watch::record_query) includes it.
//!
//! Pages of other sites cannot read it, whatever address it listens on:
//!
//! - **Host names.** The console answers requests for an IP address, for `localhost`, for a name that ends
//!   in `.localhost`, and for the names given to [`Builder::allow_host`]. Any other name gets 403, because
//!   another site could make its own name point to this machine (DNS rebinding). A request without a host
//!   gets 400.
//! - **Requests from other sites.** If the browser says that another site made the request
//!   (`Sec-Fetch-Site`, `Origin`), the console answers 403, except when it is a link to `/`. The other site
//!   could not read the answer, but its requests would take the places of readers.
//! - **Probes.** Only the console's own page can start one. One probe runs at a time, and nothing but the
//!   routes that the app named is asked.
//!
//! # What it costs
//!
//! While a console runs, each request is recorded as a lane. Chunks are recorded only while a
//! client reads the events. A hundred lanes are sent at a time, and in the long run at most twenty more a second
//! take the places of others; the other requests are counted. All readers get the same bytes, so the cost does
//! not grow with the number of readers. A reader that stops reading costs the buffers of its connection for half
//! a minute; then it is disconnected.
//!
//! While somebody reads the events, open requests are asked about once a second where they wait
//! ([`Watch::requests`](holdup_watch::Watch::requests)): each that waits is woken for it, at most 256 in a
//! second. Answers to `/requests` and `/waits` share these looks, so that they may come up to a second later.
//! While nobody looks, no request is woken. All of this happens on a thread of its own, and the console answers
//! meanwhile.
//!
//! On Linux, during a hold, the console reads the kernel's table of connections to find requests that the
//! blocked worker has not read yet. This takes at most a fifth of one core, on a thread of its own.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod admission;
mod asked;
mod await_points;
mod board;
mod bounds;
mod builder;
mod change;
mod console;
mod doing;
mod error;
mod events;
mod figures;
mod guard;
mod health;
mod holds;
mod hub;
mod lane;
mod looks;
mod lost;
mod message;
mod names;
mod page;
mod probes;
mod recorder;
mod replay;
mod rest;
mod section;
mod server;
mod site;
mod survey;
mod surveys;
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
pub use self::replay::Replay;
pub use self::section::Section;
