//! Sends several requests to a server at once, and judges how many of them ran at a time.
//!
//! [`probe`] measures any URL: the server may be written in any language and stand behind any proxy. It
//! sends the rounds of requests that an [`experiment`](holdup_verdict::experiment) plans: a warm-up, one
//! request alone, `n` at once with unique URLs, and `n` at once with one URL.
//!
//! The [`Settings`] ask for contrasts, which change one thing and look at what changes with it: another route
//! that is asked meanwhile ([`beside`](Settings::beside)), more and more requests ([`limit`](Settings::limit)),
//! one HTTP/2 connection ([`http2`](Settings::http2)), requests without cookies and credentials
//! ([`cookie_contrast`](Settings::cookie_contrast)), and a second URL ([`versus`](Settings::versus)). From all of
//! them follows the [cause](holdup_verdict::cause()): what the requests wait for. [`Inside`] adds what the console
//! of an app saw. [`ConsoleReader`] asks a console which requests are open, without a probe.
//!
//! [`spread`](spread()) is about another question: over how many workers and replicas connections fall.
//!
//! Each request's URL gets a query of its own. If the URL, a header or the body contains `{}`, each request
//! gets a label of its own there instead. An [`End`] says when to count an answer as ended that has no end.
//!
//! Each request has a connection of its own, over HTTP/1.1, which is closed as soon as the answer ends. There are
//! two exceptions: where one HTTP/2 connection is compared with several, requests share it
//! ([`Settings::http2`]), and some connections to a bystander are kept open, because each of them belongs to one
//! worker of the server ([`Settings::beside`]). Bodies are counted and hashed, but not kept. Heads, times and chunks are bounded, so a server that misbehaves
//! costs no more than the time-out.
//!
//! ```no_run
//! use holdup_probe::{Request, Settings, Target, probe};
//! use holdup_verdict::Kind;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let target = Target::parse("localhost:8080/report")?;
//! let report = probe(&target, &Request::default(), Settings::default(), &mut |_| ()).await;
//! assert_eq!(report.found.verdict.kind, Kind::Concurrent, "{}", report.found.verdict.sentence);
//! # Ok(())
//! # }
//! ```
//!
//! It needs a tokio runtime with I/O and time enabled; one thread is enough.

#![forbid(unsafe_code)]

mod answer;
mod bystander;
mod connection;
mod dial;
mod elsewhere;
mod event;
mod http2;
mod inlet;
mod inlets;
mod inside;
mod json;
mod name;
mod own_time;
mod place;
mod question;
mod reading;
mod recorder;
mod report;
mod request;
mod rounds;
mod route;
mod runner;
mod settings;
mod sips;
mod spread;
mod start_line;
mod target;
mod template;
mod tls;
mod way;

pub use event::{Event, Observer};
pub use inside::{
    Asked, BadConsole, ConsoleReader, Culprit, Inside, InsideHold, InsideWait, OpenRequests,
    OpenWait, OpenWaits, Queue, Watching,
};
pub use json::{Document, Summary};
pub use report::Report;
pub use request::{BadRequest, Request};
pub use runner::probe;
pub use settings::{End, Settings};
pub use spread::{
    AnswerId, BadId, FROZEN_ROUNDS, KEPT_CONNECTIONS, LEAST_CONNECTIONS, MOST_CONNECTIONS,
    MOST_FROZEN, Named, REQUESTS_EACH, SpreadDocument, SpreadReport, SpreadSettings, spread,
};
pub use target::{BadUrl, Target, is_web};
