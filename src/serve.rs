//! The server: bind, log the real address, run until it has to stop.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::time::{sleep, timeout};
use actix_web::dev::Server;
use actix_web::{App, HttpServer};
use futures_util::future::{Either, select};
use tracing::{info, warn};
use url::Url;

use crate::countdown::Context;
use crate::experiment;
use crate::limits::{self, Limits};
use crate::routes::{self, ConsolePort};
use crate::streams::Streams;
use holdup_console::Console;
use holdup_watch::Watch;

/// How long a client may take to send a request's head, on top of twice the longest countdown;
/// then it gets 408.
///
/// actix counts this by a clock that stands still while the worker is held, and looks at the timer
/// before it looks at what has arrived. With its default of 5 s, a request that waited behind a blocking
/// countdown of five seconds would get 408 instead of its turn. Two of the longest countdowns, or
/// many short ones, may go before.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept for another request.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How many connections may wait to be accepted. A burst of thousands is what the lab is for, and
/// a connection that finds the queue full only tries again a second later.
const BACKLOG: u32 = 16_384;

/// After the grace: the time for the workers that can still answer to end their streams. A worker
/// that is stopping looks up once a second.
const CUT_OFF: Duration = Duration::from_millis(1500);

/// The settings of a lab; those of `holdup serve`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 picks a free one.
    pub bind: SocketAddr,
    /// Worker threads.
    pub workers: NonZeroUsize,
    /// Threads in each worker's pool for blocking calls; `None` leaves it to actix (512 divided
    /// by the cores).
    pub pool_threads: Option<NonZeroUsize>,
    /// The most streams at once; `None` takes what the limit on open files allows.
    pub max_streams: Option<NonZeroUsize>,
    /// The longest countdown that a client may ask for.
    pub max_duration: Duration,
    /// How long streams in flight may take to finish after a stop.
    pub grace: Duration,
    /// Where the console listens; `None` for no console.
    pub console: Option<SocketAddr>,
    /// Where browsers find the lab; `None` if it is at the console's host and the lab's port.
    pub public_url: Option<Url>,
    /// Host names under which the console answers, besides that of `public_url`, `localhost` and IP
    /// addresses.
    pub allow_hosts: Vec<String>,
    /// What the console advises when it refuses a host name, with `{name}` in the place of the name;
    /// `None` to name this setting.
    pub allow_host_advice: Option<String>,
}

impl Default for Settings {
    /// As the command line's defaults, but on a free port of 127.0.0.1, and without a console.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            workers: NonZeroUsize::MIN,
            pool_threads: None,
            max_streams: None,
            max_duration: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            console: None,
            public_url: None,
            allow_hosts: Vec::new(),
            allow_host_advice: None,
        }
    }
}

/// Why the lab did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken, not ours, or not allowed.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// More streams than the limit on open files allows.
    #[error(transparent)]
    Limits(#[from] limits::TooMany),
    /// The console cannot start.
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
    /// When an address cannot be bound, or `max_streams` is over what the limit on open files
    /// allows.
    ///
    /// # Panics
    ///
    /// When no actix or tokio runtime is running.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let Limits {
            streams,
            connections,
        } = Limits::within(limits::open_files(), settings.max_streams)?;
        let streams = Arc::new(Streams::new(streams));
        // A countdown's query has no secrets, and its label distinguishes the requests.
        let watch = Watch::new().record_query(true);
        let (max_duration, workers) = (settings.max_duration, settings.workers.get());
        let console_port = ConsolePort::default();
        // Called on each worker.
        let app = {
            let (watch, streams) = (watch.clone(), Arc::clone(&streams));
            let console_port = console_port.clone();
            move || {
                let context = Context {
                    worker: watch.worker(),
                    max_duration,
                    streams: Arc::clone(&streams),
                };
                App::new()
                    .app_data(console_port.clone())
                    .configure(|config| routes::configure(config, context))
                    .wrap(watch.clone())
            }
        };

        let longest_wait = max_duration.saturating_mul(2);
        let request_timeout = longest_wait.saturating_add(REQUEST_TIMEOUT);
        let mut server = HttpServer::new(app)
            .workers(workers)
            .backlog(BACKLOG)
            .max_connections((connections / workers).max(1))
            .client_request_timeout(request_timeout)
            .keep_alive(KEEP_ALIVE)
            // Flush after every chunk. actix asks a body for more until it has to wait or 32 KiB
            // are buffered, and a blocking body never has to wait: its ticks would all arrive at
            // the end. This way each is sent when it happens, and the worker is held all the same.
            .h1_write_buffer_size(1)
            // The second of two small writes would wait for the client's receipt of the first,
            // which comes 40 ms later: each answer's end, and ticks closer to each other than that.
            .tcp_nodelay(true)
            // A client that closes its side has left: without this, its stream would go on until
            // a write fails.
            .h1_allow_half_closed(false)
            // Stopping is up to `run_until`, which keeps to the grace in milliseconds.
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
        info!(%address, workers, max_streams = streams.max(), "lab is listening");
        let console = settings
            .console
            .map(|at| start_console(&watch, at, address, settings))
            .transpose()?;
        // Where the lab's port is not what browsers use, the console's is not either.
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

    /// The address it really listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The streams in flight, of all workers.
    pub fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }

    /// What holds its workers.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The address of its console, if it has one.
    pub fn console(&self) -> Option<SocketAddr> {
        self.console.as_ref().map(Console::address)
    }

    /// Serves until `stop` is ready, then lets the streams in flight finish for as long as the
    /// grace allows, and cuts off the rest.
    ///
    /// # Errors
    ///
    /// When the server itself fails.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let Self {
            server,
            streams,
            grace,
            // Kept until the end: it shows how the streams in flight end.
            console,
            ..
        } = self;
        let handle = server.handle();
        let server = actix_rt::spawn(server);
        let stop = std::pin::pin!(stop);
        let server = match select(server, stop).await {
            Either::Left((ended, _)) => return ended.unwrap_or_else(|error| Err(error.into())),
            Either::Right(((), server)) => server,
        };

        // Its streams are nobody's: they need not use up the grace.
        if let Some(console) = &console {
            console.stop_probe();
        }
        info!(
            open = streams.open(),
            ?grace,
            "stopping: no new connections, streams may finish"
        );
        if timeout(grace, handle.stop(true)).await.is_err() {
            streams.cut_off();
            warn!(
                open = streams.open(),
                "the grace is over: streams are cut off"
            );
            // Dropping the server drops every worker's connections, except on a worker that is
            // held and cannot be reached: the end of the process ends it.
            server.abort();
            let emptied = async {
                while streams.open() > 0 {
                    sleep(CUT_OFF / 100).await;
                }
            };
            timeout(CUT_OFF, emptied).await.ok();
        }
        info!("stopped");
        Ok(())
    }
}

/// A console for the lab that listens on `lab`.
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

/// An address that a client on this machine can use, where `address` may be "all of them".
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other.ip(),
    };
    SocketAddr::new(ip, address.port())
}
