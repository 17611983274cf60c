//! Sends several requests to a server at once, and judges how many of them ran at a time.
//!
//! [`probe`] measures any URL, in whatever language the server is written and behind any proxy. Which rounds of
//! requests it sends is the plan of an [`experiment`](holdup_verdict::experiment): a warm-up, one request
//! alone, `n` at once with unique URLs, and `n` at once with one URL.
//!
//! Each request's URL has a query of its own, unless `{}` in the URL, a header or the body says where
//! requests differ. An answer without an end is measured with an [`End`].
//!
//! Every request has a connection of its own, over HTTP/1.1, that is closed the moment the answer
//! ends. Bodies are counted and hashed, not kept; heads, times and chunks are bounded, so a server
//! that misbehaves costs the time-out and no more.
//!
//! ```no_run
//! use holdup_probe::{Request, Settings, Target, probe};
//! use holdup_verdict::Kind;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let target = Target::parse("localhost:8080/report")?;
//! let report = probe(&target, &Request::default(), Settings::default(), &mut |_| ()).await;
//! assert_eq!(report.verdict.kind, Kind::Concurrent, "{}", report.verdict.sentence);
//! # Ok(())
//! # }
//! ```
//!
//! It needs a tokio runtime with I/O and time, and one thread is enough.

#![forbid(unsafe_code)]

mod answer;
mod connection;
mod dial;
mod elsewhere;
mod event;
mod json;
mod own_time;
mod question;
mod report;
mod request;
mod rounds;
mod route;
mod runner;
mod settings;
mod target;
mod template;
mod tls;

pub use event::{Event, Observer};
pub use json::{Document, Findings};
pub use report::Report;
pub use request::{BadRequest, Request};
pub use runner::probe;
pub use settings::{End, Settings};
pub use target::{BadUrl, Target, is_web};
