//! The command line.

mod expect;
mod spread;

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use holdup::limits::MOST_WORKERS;
use holdup::replica::Replica;
use holdup::serve::Settings;
use holdup_console::host_name;
use holdup_probe::is_web;
use holdup_watch::RecordOptions;
use url::Url;

pub(crate) use expect::Expectation;
pub(crate) use spread::Connections;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Why aren't my requests running in parallel, and what is holding them up?
#[derive(Debug, Parser)]
#[command(version, styles = STYLES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the lab: four handlers that count down, one of which blocks its worker
    Serve(Serve),
    /// Measure how many requests a server runs at the same time
    #[command(after_help = PROBE_EXIT_CODES)]
    Probe(Probe),
    /// List the open requests of an app, and where each of them waits
    #[command(after_help = PS_EXAMPLE)]
    Ps(Ps),
    /// Show what was recorded with `serve --record` or `Watch::record`, on the console's page or as text
    #[command(after_help = REPLAY_EXAMPLE)]
    Replay(Replay),
}

/// The most requests at once.
pub(crate) const MOST_REQUESTS: usize = 1000;

const PROBE_EXIT_CODES: &str = "\
The exit code is 0 for concurrent, 1 for serialized or limited, 3 for inconclusive, and 2 for wrong usage, which
includes a file of --svg, --json or --junit that cannot be opened: then nothing is measured. It is 4, whatever was
found, if the probe itself failed: it could not begin to measure, or what it found could not be printed or written
completely, for example to a full disk.
With --spread, it is 0 for an even spread, 1 for an uneven one, and 3 for an inconclusive one. With --expect, it
is 0 if all that is expected holds, 1 if something does not, and 3 if something cannot be told: the measurement is
inconclusive, or redirects led to another page, such as a log-in.

Each request gets a label of its own, so that no cache answers it. Write {} where the label belongs: in the
URL's path or query, in the value of a header, or in the body. Without {}, the label is added to the query.
Write {{}} for a plain {}. In a JSON body, a {} outside of a string is an empty object and stays one.";

const PS_EXAMPLE: &str = "\
Example:

  $ holdup ps localhost:8081
  AGE     STATE    WORKER  ROUTE          WHERE
  3.10 s  running  0       GET /blocking
  2.95 s  ready    0       GET /quick     held up by GET /blocking
  1.20 s  waiting  1       GET /report    app::report (src/report.rs:12), in tokio::sync::Mutex::lock

The state is running (its worker runs it), ready (it could run, but its worker has not come to it), waiting,
sending (its client reads slowly), or unknown (it changed too fast to be read). The lines are known if the app is
built with the feature `stacks` of holdup-watch.

The exit code is 0, also if no request is open or Ctrl-C ends --watch. It is 2 for wrong usage, and if no console
can be read at the URL. It is 1 if something else fails, such as writing the output to a full disk.";

const REPLAY_EXAMPLE: &str = "\
Example:

  $ mkdir /var/tmp/lab
  $ holdup serve --record /var/tmp/lab        (or Watch::record in your app)
  $ holdup replay /var/tmp/lab --summary

The exit code is 0, also if Ctrl-C ends the page, 2 for a path that is no record, and 1 if something else fails.";

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[expect(clippy::doc_markdown, reason = "the help is plain text")]
pub(crate) struct Probe {
    /// The URL to measure; http:// is assumed if it has no scheme. Each request gets a label of its own, in
    /// its query or in the place of {}
    pub(crate) url: String,

    /// How many requests to send at once
    #[arg(short = 'n', long, value_name = "N", default_value = "4")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(2..=MOST_REQUESTS as u64))]
    pub(crate) requests: usize,

    /// Print the report as one JSON document, instead of the picture and the text. With =FILE, write the document
    /// to this file, and print the picture and the text
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[expect(
        clippy::option_option,
        reason = "not given, given, and given with a file"
    )]
    pub(crate) json: Option<Option<PathBuf>>,

    /// Write the picture to this file as well
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    /// Also write the result of each expectation to this file, as JUnit XML, which CI systems read. An expectation
    /// that cannot be judged is a skipped test
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// What makes the exit code 0, separated by commas: concurrent, serialized, limited or limited=N;
    /// beside=untouched, slowed, some_frozen or frozen for all of --beside; streamed, buffered or single;
    /// one-connection=concurrent, serialized or limited; spread=even or uneven, with --spread
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) expect: Vec<Expectation>,

    /// Longest time for one request to the server [default: 60s; for requests at once, long enough for all of them
    /// one after the other, but at most 10m]. A console (--console) has 10s to answer
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    pub(crate) timeout: Option<Duration>,

    /// Count an answer as ended after this many chunks of its body, for a stream that has no end
    #[arg(long, value_name = "N", value_parser = count::<NonZeroU64>)]
    pub(crate) first: Option<NonZeroU64>,

    /// Count an answer as ended this long after its body began, for a stream that has no end
    #[arg(long = "for", value_name = "DURATION", value_parser = timeout)]
    pub(crate) lasting: Option<Duration>,

    /// Method of the requests [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) method: Option<String>,

    /// A header to send; may be given several times
    #[arg(short = 'H', long = "header", value_name = "'Name: value'")]
    pub(crate) headers: Vec<String>,

    /// A body to send
    #[arg(short = 'd', long = "data", value_name = "BODY")]
    pub(crate) body: Option<String>,

    /// Accept any certificate
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Also request this URL while the measured one runs, to find out whether it waits as well. Use a fast route,
    /// such as a health check. May be given up to four times. With --spread, it is requested while the measured URL
    /// holds a worker, to find out what share of the connections waits
    #[arg(long, value_name = "URL", help_heading = "Contrasts")]
    pub(crate) beside: Vec<String>,

    /// Send more and more requests at once, to find out how many run at a time at most
    #[arg(long, help_heading = "Contrasts")]
    pub(crate) limit: bool,

    /// The most requests that --limit sends at once [default: 128, or -n if that is more]
    #[arg(long, value_name = "N", help_heading = "Contrasts")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(2..=MOST_REQUESTS as u64))]
    pub(crate) max: Option<usize>,

    /// Send the requests on one HTTP/2 connection, too, as a browser does. Without this flag, it is done for
    /// https if the server agrees to HTTP/2 and the method is GET, HEAD or another one that changes nothing
    #[arg(long, help_heading = "Contrasts")]
    pub(crate) http2: bool,

    /// Send nothing over HTTP/2
    #[arg(long, help_heading = "Contrasts")]
    pub(crate) http1: bool,

    /// Also send the requests without their cookies and credentials (-H), to find a lock by session
    #[arg(long, help_heading = "Contrasts")]
    pub(crate) cookie_contrast: bool,

    /// Also send the same requests, with all their headers (-H), to this URL, such as the server behind the proxy,
    /// to find out which of the two holds them up
    #[arg(long, value_name = "URL", help_heading = "Contrasts")]
    pub(crate) versus: Option<String>,

    /// Also read the events of the app's console, to name the route and the line that held workers, or the line at
    /// which requests waited
    #[arg(long, value_name = "URL", help_heading = "Contrasts")]
    pub(crate) console: Option<String>,

    /// Measure nothing but this: over how many workers and replicas M connections fall, -n at a time. With M/N, N
    /// workers are expected, so a worker that gets no connection is counted, too
    #[arg(long, value_name = "M[/N]", help_heading = "Spread")]
    pub(crate) spread: Option<Connections>,

    /// The header of an answer that names its worker, such as a process id. Without it, and without --id-json and
    /// --beside, the headers of the lab are used
    #[arg(long, value_name = "NAME", help_heading = "Spread")]
    pub(crate) id_header: Option<String>,

    /// The place in the answer's JSON document of a string or number that names its worker, such as /worker/pid
    /// (RFC 6901)
    #[arg(long, value_name = "POINTER", help_heading = "Spread")]
    pub(crate) id_json: Option<String>,

    /// When to use colours; auto uses them in a terminal, unless the variable `NO_COLOR` is set
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

impl Probe {
    /// Whether stdout gets the JSON document, and nothing else.
    pub(crate) fn prints_json(&self) -> bool {
        self.json == Some(None)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// The URL of the app's console; http:// is assumed if it has no scheme
    pub(crate) url: String,

    /// List the places at which requests wait, instead of the requests: how many wait there, and of which routes.
    /// Also list which routes' requests were held up, and by which other routes
    #[arg(long)]
    pub(crate) group: bool,

    /// Print the console's JSON document, instead of the table
    #[arg(long)]
    pub(crate) json: bool,

    /// Ask again and again, every second or every SECONDS, until Ctrl-C. A console looks at most once
    /// a second
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
    #[arg(value_parser = seconds)]
    pub(crate) watch: Option<Duration>,

    /// Longest time for an answer of the console [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    pub(crate) timeout: Option<Duration>,

    /// Accept any certificate
    #[arg(long)]
    pub(crate) insecure: bool,

    /// When to use colours; auto uses them in a terminal, unless the variable `NO_COLOR` is set
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The folder of the record, of which the latest run is shown, or one of its files
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,

    /// Print what was recorded, and serve no page: the longest holds, who held up whom, and where requests waited
    #[arg(long)]
    pub(crate) summary: bool,

    /// Address and port of the page; port 0 picks a free one. Everybody who reaches this address can read the record
    #[arg(long, value_name = "ADDRESS", value_parser = address, default_value = "127.0.0.1:8082")]
    pub(crate) address: SocketAddr,

    /// A further host name under which the page answers; may be given several times
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    pub(crate) allow_host: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port of the lab; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", env = "HOLDUP_BIND", value_parser = address)]
    #[arg(default_value = "127.0.0.1:8080")]
    bind: SocketAddr,

    /// Address and port of the console: a live page, and figures for Prometheus (/metrics). It keeps
    /// answering while all workers are blocked. It has no password: everybody who reaches this address can
    /// read it, except the pages of other sites
    #[arg(long, value_name = "ADDRESS", env = "HOLDUP_CONSOLE", value_parser = address)]
    #[arg(default_value = "127.0.0.1:8081")]
    console: SocketAddr,

    /// Run without the console
    #[arg(long, env = "HOLDUP_NO_CONSOLE", value_parser = switch)]
    no_console: bool,

    /// URL at which browsers find the lab [default: the console's host with the lab's port]
    #[arg(long, value_name = "URL", env = "HOLDUP_PUBLIC_URL", value_parser = web_url)]
    public_url: Option<Url>,

    /// A further host name under which the console answers; may be given several times. In the variable,
    /// commas separate names. localhost, IP addresses and the host of --public-url are always allowed. Any
    /// other name gets 403, because another site could make its own name point to this machine
    #[arg(
        long,
        value_name = "NAME",
        env = "HOLDUP_ALLOW_HOST",
        value_delimiter = ','
    )]
    #[arg(value_parser = host_name)]
    allow_host: Vec<String>,

    /// Name of this lab among several, which every answer has in the header x-holdup-replica [default: the host
    /// name and the port]. The number of the worker is in x-holdup-worker
    #[arg(long, value_name = "NAME", env = "HOLDUP_REPLICA")]
    replica: Option<Replica>,

    /// Number of worker threads, from 1 to 512. With more than one, two requests may go to different workers, and
    /// then neither blocks the other
    #[arg(long, value_name = "N", env = "HOLDUP_WORKERS", default_value = "1")]
    #[arg(value_parser = workers)]
    workers: NonZeroUsize,

    /// Threads in each worker's pool for blocking calls [default: 512 divided by the number of cores]
    #[arg(long, value_name = "N", env = "HOLDUP_POOL_THREADS", value_parser = count::<NonZeroUsize>)]
    pool_threads: Option<NonZeroUsize>,

    /// Most streams at once; one more gets 503 [default: as many as the limit on open files allows, at most
    /// 25000]
    #[arg(long, value_name = "N", env = "HOLDUP_MAX_STREAMS", value_parser = count::<NonZeroUsize>)]
    max_streams: Option<NonZeroUsize>,

    /// Longest countdown that a client may ask for
    #[arg(long, value_name = "DURATION", env = "HOLDUP_MAX_DURATION", value_parser = duration)]
    #[arg(default_value = "60s")]
    max_duration: Duration,

    /// How long open streams may take to finish after SIGTERM or Ctrl-C; then they are cut off
    #[arg(long, value_name = "DURATION", env = "HOLDUP_GRACE", value_parser = duration)]
    #[arg(default_value = "10s")]
    grace: Duration,

    /// Record holds, waits and held-up requests in this folder, which must exist. `holdup replay` shows them
    #[arg(long, value_name = "DIR", env = "HOLDUP_RECORD")]
    record: Option<PathBuf>,

    /// Maximum total size of the record's files; when it is reached, the oldest file is deleted
    #[arg(
        long,
        value_name = "SIZE",
        env = "HOLDUP_RECORD_SIZE",
        requires = "record"
    )]
    #[arg(value_parser = size, default_value = "64MiB")]
    record_size: u64,

    /// Format of the log, which goes to stderr
    #[arg(
        long,
        value_name = "FORMAT",
        env = "HOLDUP_LOG_FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
}

impl Serve {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            bind: self.bind,
            replica: self.replica.clone(),
            workers: self.workers,
            pool_threads: self.pool_threads,
            max_streams: self.max_streams,
            max_duration: self.max_duration,
            grace: self.grace,
            console: (!self.no_console).then_some(self.console),
            public_url: self.public_url.clone(),
            allow_hosts: self.allow_host.clone(),
            allow_host_advice: Some("start with --allow-host {name}".to_owned()),
            record: self
                .record
                .as_ref()
                .map(|folder| RecordOptions::new(folder).bytes(self.record_size)),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON document per line
    Json,
}

fn address(value: &str) -> Result<SocketAddr, String> {
    let mut addresses = value.to_socket_addrs().map_err(|error| {
        format!("{error}; allowed: an address and a port, such as 127.0.0.1:8080 or [::1]:0")
    })?;
    addresses
        .next()
        .ok_or_else(|| "the name has no address; use an IP address".to_owned())
}

fn web_url(value: &str) -> Result<Url, String> {
    let allowed = "use http or https, for example http://localhost:9000";
    let url = Url::parse(value).map_err(|error| format!("{error}; {allowed}"))?;
    if is_web(url.scheme()) {
        Ok(url)
    } else {
        Err(format!("the scheme is {:?}; {allowed}", url.scheme()))
    }
}

/// A whole number that is not zero.
fn count<T: FromStr>(value: &str) -> Result<T, String> {
    let count = value.parse();
    count.map_err(|_| "use a whole number, 1 or more".to_owned())
}

/// A number of workers that actix runs.
fn workers(value: &str) -> Result<NonZeroUsize, String> {
    let number = value.parse().ok();
    let possible = number.filter(|number: &NonZeroUsize| number.get() <= MOST_WORKERS);
    possible.ok_or_else(|| format!("use a whole number from 1 to {MOST_WORKERS}"))
}

/// A number of bytes with its unit, 1 MiB at least.
fn size(value: &str) -> Result<u64, String> {
    let allowed = "use a size of 1MiB or more, such as 64MiB or 2GiB";
    let units = [("MiB", 20), ("GiB", 30)];
    let read = units.iter().find_map(|(unit, shift)| {
        let number: u64 = value.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(1 << shift).filter(|&bytes| bytes > 0)
    });
    read.ok_or_else(|| allowed.to_owned())
}

fn timeout(value: &str) -> Result<Duration, String> {
    let timeout = duration(value)?;
    if timeout < Duration::from_millis(1) {
        return Err("it is too short; use at least 1ms".to_owned());
    }
    Ok(timeout)
}

/// The value of a variable for a flag that has none on the command line.
fn switch(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" => Ok(true),
        "0" | "no" | "false" => Ok(false),
        _ => Err("use 1, yes or true, or 0, no or false".to_owned()),
    }
}

/// A number of seconds, or a duration with its unit.
fn seconds(value: &str) -> Result<Duration, String> {
    let allowed =
        "use a number of seconds from 0.1 to 86400, such as 2, and write the URL before --watch";
    let number = value.parse().ok().map(Duration::try_from_secs_f64);
    let duration = match number {
        Some(duration) => duration.map_err(|error| error.to_string()),
        None => humantime::parse_duration(value).map_err(|error| error.to_string()),
    };
    let duration = duration.map_err(|error| format!("{error}; {allowed}"))?;
    if !(Duration::from_millis(100)..=DURATION_MAX).contains(&duration) {
        return Err(allowed.to_owned());
    }
    Ok(duration)
}

/// A duration of more than a day is probably a mistake, and clocks cannot count one of centuries.
const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

fn duration(value: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(value)
        .map_err(|error| format!("{error}; use a duration such as 250ms, 1s or 2m"))?;
    if duration > DURATION_MAX {
        return Err("it is too long; use at most 24h".to_owned());
    }
    Ok(duration)
}
