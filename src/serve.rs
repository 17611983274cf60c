//! The server: binds its address, logs it, and runs until it is stopped.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_rt::time::{sleep, timeout};
use actix_web::dev::Server;
use actix_web::{App, HttpServer};
use futures_util::future::{Either, select};
use humantime::format_duration;
use tracing::{info, warn};
use url::Url;

use crate::countdown::Context;
use crate::experiment;
use crate::limits::{self, Limits};
use crate::replica::Replica;
use crate::routes::{self, ConsolePort};
use crate::streams::Streams;
use holdup_console::Console;
use holdup_watch::{RecordError, RecordOptions, Watch};

/// How long a client may take to send the head of a request, in addition to twice the longest
/// countdown. After that it gets 408.
///
/// actix measures this with a clock that stands still while the worker is blocked, and checks the
/// timer before it reads what has arrived. With its default of 5 s, a request that waited for a
/// blocking countdown of five seconds would get 408 instead of its answer. There may be two of the
/// longest countdowns, or many short ones, ahead of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept open.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How many connections may wait to be accepted. Bursts of thousands are expected in the lab, and a
/// client that finds the queue full tries again only after a second.
const BACKLOG: u32 = 16_384;

/// The time after the grace in which workers that can still answer end their streams. A stopping
/// worker checks its streams once a second.
const CUT_OFF: Duration = Duration::from_millis(1500);

/// The longest that the watch has to tell the end of what has happened: to the log, to the metrics and in the record.
const FLUSH: Duration = Duration::from_millis(400);

/// The settings of a lab, which are also those of `holdup serve`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on. Port 0 picks a free port.
    pub bind: SocketAddr,
    /// The name of this lab among several, which every answer has. `None` uses the host name and the port.
    pub replica: Option<Replica>,
    /// The number of worker threads, at most [`limits::MOST_WORKERS`].
    pub workers: NonZeroUsize,
    /// The number of threads in each worker's pool for blocking calls. `None` uses actix's default
    /// (512 divided by the number of cores).
    pub pool_threads: Option<NonZeroUsize>,
    /// The most simultaneous streams. `None` uses what the limit on open files allows.
    pub max_streams: Option<NonZeroUsize>,
    /// The longest countdown that a client may ask for.
    pub max_duration: Duration,
    /// How long open streams may take to finish after a stop.
    pub grace: Duration,
    /// The address on which the console listens, or `None` for no console.
    pub console: Option<SocketAddr>,
    /// The URL at which browsers reach the lab. `None` if it is the console's host with the lab's
    /// port.
    pub public_url: Option<Url>,
    /// Further host names under which the console answers, besides that of `public_url`,
    /// `localhost` and IP addresses.
    pub allow_hosts: Vec<String>,
    /// The console's advice when it refuses a host name, for which `{name}` stands. `None` names
    /// this setting.
    pub allow_host_advice: Option<String>,
    /// Where what is held, waits or is held up is recorded, if it is.
    pub record: Option<RecordOptions>,
}

impl Default for Settings {
    /// The defaults of the command line, but on a free port of 127.0.0.1 and without a console.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            replica: None,
            workers: NonZeroUsize::MIN,
            pool_threads: None,
            max_streams: None,
            max_duration: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            console: None,
            public_url: None,
            allow_hosts: Vec::new(),
            allow_host_advice: None,
            record: None,
        }
    }
}

/// Why the lab did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is already in use, not one of this machine, or not permitted.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address that was given.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// `max_streams` or `workers` is more than the limit on open files allows, or `workers` more than actix runs.
    #[error(transparent)]
    Limits(#[from] limits::TooMany),
    /// The folder for the record cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The console could not start.
    #[error(transparent)]
    Console(#[from] holdup_console::StartError),
}

/// A lab that is listening.
pub struct Lab {
    address: SocketAddr,
    server: Server,
    streams: Arc<Streams>,
    watch: Watch,
    console: Option<Console>,
    grace: Duration,
}

impl Lab {
    /// Binds the address and starts the workers.
    ///
    /// # Errors
    ///
    /// Returns an error when an address cannot be bound, when `max_streams` or `workers` is more than
    /// the limit on open files allows, when `workers` is more than actix runs, or when the folder for
    /// the record cannot be used.
    ///
    /// # Panics
    ///
    /// Panics when no actix or tokio runtime is running.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let (max_duration, workers) = (settings.max_duration, settings.workers.get());
        let Limits {
            streams,
            connections,
        } = Limits::within(limits::open_files(), workers, settings.max_streams)?;
        let streams = Arc::new(Streams::new(streams));
        // A countdown's query contains no secrets, and its label distinguishes the requests.
        let mut watch = Watch::new().record_query(true);
        if let Some(record) = &settings.record {
            watch = watch.record(record.clone())?;
        }
        let console_port = ConsolePort::default();
        // Its name may have the port, which is known before the workers start.
        let replica: Arc<OnceLock<Replica>> = Arc::default();
        // This closure is called on each worker.
        let app = {
            let (watch, streams) = (watch.clone(), Arc::clone(&streams));
            let (console_port, replica) = (console_port.clone(), Arc::clone(&replica));
            move || {
                if let Err(error) = holdup_timer::install() {
                    warn!(%error, "no timer for this worker: its ticks wait by tokio's");
                }
                let worker = watch.worker();
                let replica = replica.get_or_init(|| Replica::of_host(0));
                let context = Context {
                    worker,
                    max_duration,
                    streams: Arc::clone(&streams),
                };
                App::new()
                    .app_data(console_port.clone())
                    .configure(|config| routes::configure(config, context))
                    .wrap(replica.headers(worker))
                    .wrap(watch.clone())
            }
        };

        let longest_wait = max_duration.saturating_mul(2);
        let request_timeout = longest_wait.saturating_add(REQUEST_TIMEOUT);
        let mut server = HttpServer::new(app)
            .workers(workers)
            .backlog(BACKLOG)
            .max_connections(connections / workers)
            .client_request_timeout(request_timeout)
            .keep_alive(KEEP_ALIVE)
            // Flush after every chunk. actix polls a body until it is pending or 32 KiB are
            // buffered, and a blocking body is never pending, so all of its ticks would arrive at
            // the end. With this setting each tick is sent when it happens, while the worker stays
            // blocked.
            .h1_write_buffer_size(1)
            // Without this (Nagle's algorithm), the second of two small writes waits for the client
            // to acknowledge the first, which takes 40 ms. This affects the end of every answer,
            // and ticks at shorter intervals.
            .tcp_nodelay(true)
            // Treat a client that closes its sending side as gone. Otherwise its stream would
            // continue until a write fails.
            .h1_allow_half_closed(false)
            // `run_until` handles the stop, because it keeps to the grace in milliseconds.
            .disable_signals()
            .shutdown_timeout(settings.grace.as_secs().saturating_add(60));
        if let Some(threads) = settings.pool_threads {
            server = server.worker_max_blocking_threads(threads.get());
        }
        let server = server
            .bind(settings.bind)
            .map_err(|source| StartError::Bind {
                address: settings.bind,
                source,
            })?;
        let address = server.addrs().first().copied().unwrap_or(settings.bind);
        let replica = replica.get_or_init(|| {
            let name = settings.replica.clone();
            name.unwrap_or_else(|| Replica::of_host(address.port()))
        });
        info!(%address, %replica, workers, max_streams = streams.max(), "lab is listening");
        let console = settings
            .console
            .map(|at| start_console(&watch, at, address, settings))
            .transpose()?;
        // If browsers reach the lab on another port, they reach the console on another one, too.
        if let (Some(console), None) = (&console, &settings.public_url) {
            console_port.set(console.address().port());
        }
        Ok(Self {
            address,
            server: server.run(),
            streams,
            watch,
            console,
            grace: settings.grace,
        })
    }

    /// The address that the lab is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The open streams of all workers.
    pub fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }

    /// The watch of the lab's workers.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The console's address, if there is one.
    pub fn console(&self) -> Option<SocketAddr> {
        self.console.as_ref().map(Console::address)
    }

    /// Serves until `stop` is ready. Then lets open streams finish within the grace, and cuts off
    /// the rest.
    ///
    /// # Errors
    ///
    /// Returns an error when the server itself fails.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let Self {
            server,
            streams,
            grace,
            // The console is kept until the end, so that it shows how the open streams end.
            console,
            watch,
            ..
        } = self;
        let handle = server.handle();
        let server = actix_rt::spawn(server);
        let stop = std::pin::pin!(stop);
        let server = match select(server, stop).await {
            Either::Left((ended, _)) => return ended.unwrap_or_else(|error| Err(error.into())),
            Either::Right(((), server)) => server,
        };

        // Nobody needs the streams of a probe, so they are not given the grace.
        if let Some(console) = &console {
            console.stop_probe();
        }
        info!(
            open = streams.open(),
            grace = %format_duration(grace),
            "stopping: no new connections, streams may finish"
        );
        let has_grace = !grace.is_zero();
        if !has_grace || timeout(grace, handle.stop(true)).await.is_err() {
            streams.cut_off();
            warn!(
                open = streams.open(),
                "the grace is over: streams are cut off"
            );
            if !has_grace {
                // A worker that stops gracefully would check its streams only a second later.
                handle.stop(false).await;
            }
            // Dropping the server drops every worker's connections. A blocked worker does not react
            // to that; it ends with the process.
            server.abort();
            let emptied = async {
                while streams.open() > 0 {
                    sleep(CUT_OFF / 100).await;
                }
            };
            timeout(CUT_OFF, emptied).await.ok();
        }
        if !watch.flush(FLUSH) {
            warn!("the end of what happened may be missing in the log, the metrics and the record");
        }
        info!("stopped");
        Ok(())
    }
}

/// Creates the builder of a console for the lab that listens on `lab`.
fn start_console(
    watch: &Watch,
    address: SocketAddr,
    lab: SocketAddr,
    settings: &Settings,
) -> Result<Console, holdup_console::StartError> {
    let advice = settings.allow_host_advice.as_deref();
    let mut console = Console::builder(watch, address.to_string())
        .app(format!("http://{}", reachable(lab)))
        .allow_host_advice(advice.unwrap_or("add {name} to Settings::allow_hosts"));
    if let Some(url) = &settings.public_url {
        console = console.public_url(url.as_str());
    }
    for name in &settings.allow_hosts {
        console = console.allow_host(name);
    }
    experiment::added_to(console).start()
}

/// Converts `address` to one that a client on this machine can use, if it stands for all addresses.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other.ip(),
    };
    SocketAddr::new(ip, address.port())
}
