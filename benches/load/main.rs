//! Opens many countdowns at once and measures how well each keeps to its schedule.
//!
//! The lab runs in a process of its own; this is only the client:
//!
//! ```text
//! holdup serve --max-streams 15000
//! cargo bench --bench load -- --streams 15000 --url 'http://127.0.0.1:8080/coroutine?from=20'
//! ```
//!
//! A ramp that is longer than the countdown keeps streams coming and going: `--ramp 60s --streams 60000`
//! opens a thousand a second, and with `from=10` about ten thousand are open at a time. `--window 5s` then
//! reports each five seconds on their own.
//!
//! The client is one thread, so that the server has the other cores. It also measures itself: see
//! `ourselves`. Lateness that does not exceed the client's own cannot be attributed to the server.

mod chunks;
mod late;
mod ourselves;
mod report;
mod stream;
mod target;
mod window;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::ourselves::Ourselves;
use crate::report::Report;
use crate::stream::{Observed, Plan};
use crate::target::{Sources, Target};

/// This is added to the countdown's length, for opening the streams and for a server that is late.
const PATIENCE: Duration = Duration::from_secs(30);

/// How late a stream may end and still leave its descriptor to one that is opened later.
const SLACK: Duration = Duration::from_secs(5);

/// Descriptors that are not streams: those of the runtime, and the standard three.
const OTHER_FILES: u64 = 24;

/// Open many countdowns of a lab at once, and measure how late their ticks are.
///
/// Exits with 0 when every stream was completed, 1 when not.
#[derive(Debug, Parser)]
struct Options {
    /// The countdown to ask for; only a lab on this machine
    #[arg(
        long,
        default_value = "http://127.0.0.1:8080/coroutine?from=20&period=1s"
    )]
    url: Target,

    /// How many streams, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    streams: u32,

    /// Spread the opening over this time
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    #[arg(value_parser = humantime::parse_duration)]
    ramp: Duration,

    /// Give up on streams that are still open then [default: ramp + countdown + 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,

    /// Also report each period of this length on its own, in the JSON document
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    window: Option<Duration>,

    /// Print the report as one JSON document
    #[arg(long)]
    json: bool,

    /// `cargo bench` adds it
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// The most streams that are open at the same time, if they end within [`SLACK`] of their schedule.
    #[expect(clippy::cast_sign_loss, reason = "a number of streams")]
    fn open_at_once(&self) -> u32 {
        let open = self.url.duration() + SLACK;
        if open >= self.ramp {
            return self.streams;
        }
        let share = open.as_secs_f64() / self.ramp.as_secs_f64();
        (f64::from(self.streams) * share).ceil() as u32
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(report) if report.all_completed() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<Report, Box<dyn Error>> {
    raise_open_files(options.open_at_once())?;
    let sources = Sources::fresh();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (observed, ourselves) = runtime.block_on(measure(options, sources));
    let report = Report::new(
        &options.url,
        &sources.shown(options.streams),
        &observed,
        &ourselves,
        options.window,
    );
    let mut text = if options.json {
        serde_json::to_string_pretty(&report)?
    } else {
        report.to_string()
    };
    text.push('\n');
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(report),
    }
}

/// Runs all streams to their end, and measures this process meanwhile.
async fn measure(options: &Options, sources: Sources) -> (Vec<Observed>, Ourselves) {
    let timeout = options
        .timeout
        .unwrap_or_else(|| options.ramp + options.url.duration() + PATIENCE);
    let plan = Plan::new(&options.url, timeout);
    let watching = ourselves::watch(plan.start);

    let mut streams = JoinSet::new();
    for index in 0..options.streams {
        let plan = plan.clone();
        let source = sources.of(index);
        let at = plan.start
            + options
                .ramp
                .mul_f64(f64::from(index) / f64::from(options.streams));
        streams.spawn(async move {
            if at > Instant::now() {
                sleep_until(at).await;
            }
            plan.observe(source).await
        });
    }
    let observed = streams.join_all().await;
    (observed, watching.stop().await)
}

/// Raises the soft limit on open files to the hard limit, and checks that the streams fit.
fn raise_open_files(streams: u32) -> Result<(), Box<dyn Error>> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: hard,
            maximum: hard,
        },
    )?;
    match hard {
        Some(hard) if u64::from(streams) + OTHER_FILES > hard => Err(format!(
            "{streams} streams at once do not fit into {hard} open files; at most {} do",
            hard.saturating_sub(OTHER_FILES)
        )
        .into()),
        _ => Ok(()),
    }
}
