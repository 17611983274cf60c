//! Log lines go to stderr, from a separate thread.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::cli::LogFormat;

/// The most lines that may be queued: a few megabytes, for a terminal that is paused.
const QUEUED: usize = 16_384;

/// Installs the log. Dropping the guard writes the lines that are still queued.
///
/// A paused terminal blocks the thread that writes to it; here that is never a worker. When the
/// queue is full, lines are lost rather than requests held up.
pub(crate) fn init(format: LogFormat) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED)
        .finish(io::stderr());
    // actix logs a malformed request as an error, but it is the client's error, not the lab's.
    let levels = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("holdup", LevelFilter::INFO)
        .with_target("actix_http", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(levels))
        .init();
    guard
}
