//! The console: a live page for a watched app, on a listener and a thread of its own, so that it
//! answers while every worker of the app is held.
//!
//! ```no_run
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
//! | `/healthz` | `ok`, whatever the app does |
//! | `POST /probe` | probes one of the routes that the developer named; `DELETE` stops it |
//!
//! # Who may look
//!
//! There is no password. On a loopback address only this machine reaches it. Elsewhere everybody
//! who reaches the port sees routes, paths and client addresses; paths are without their query
//! unless [`Watch::record_query`](holdup_watch::Watch::record_query) says otherwise.
//!
//! Pages of other sites, open in the same browser, do not get in:
//!
//! - A site can have its own name lead to this machine (DNS rebinding). So a request is answered only
//!   when its host is an IP address, `localhost`, a name that ends in `.localhost`, or one that
//!   [`Builder::allow_host`] names; others get 403, and a request without a host gets 400.
//! - What a browser says another site's page asks for (`Sec-Fetch-Site`, `Origin`) gets 403, except
//!   for a link to `/`: it could not be read, but would take the places of readers.
//! - Only the page itself can start a probe, one at a time, and of no other URL than the
//!   [buttons](Builder::button)'.
//!
//! # What it costs
//!
//! While a console runs, requests are recorded as lanes; their chunks only while somebody looks.
//! The newest hundred lanes are kept and told, the others counted, and every reader gets the same
//! bytes, so neither streams nor readers add up. A reader that stops reading costs its
//! connection's buffers for half a minute.
//!
//! On Linux, while a worker is held, the kernel's table of connections is read to tell which of
//! them wait to be read. It takes up to a fifth of one core, on a thread of its own.

#![forbid(unsafe_code)]

mod board;
mod guard;
mod hub;
mod looks;
mod message;
mod names;
mod server;
mod trace;
mod trial;
mod unread;

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use actix_rt::System;
use actix_rt::net::TcpStream;
use actix_web::dev::{Extensions, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder};
use url::Url;

use self::hub::Hub;
use self::message::Button;
use self::names::Names;
use self::server::{Seen, Site};
use self::trial::Trials;
use holdup_probe::is_web;
use holdup_watch::Watch;

pub use self::names::host_name;

/// The most connections at once: readers, and others that come and go.
const CONNECTIONS: usize = 32;

/// What a connection's sending side may hold in the kernel.
#[cfg(target_os = "linux")]
const SEND_BUFFER: usize = 128 * 1024;

/// How long a connection may leave unread what it was sent, in milliseconds.
#[cfg(target_os = "linux")]
const UNREAD: u32 = 30_000;

/// Commands that wait for the hub.
const COMMANDS: usize = 64;

/// Upper bounds for the histogram of hold durations, in seconds: from the threshold to the longest
/// countdown.
const BUCKETS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Says what a console shows, before it starts. Made by [`Console::builder`].
#[derive(Debug, Clone)]
#[must_use = "a console has to be started"]
pub struct Builder {
    watch: Watch,
    address: String,
    app: Option<String>,
    buttons: Vec<Button>,
    hosts: Vec<String>,
    lab: Option<Seen>,
}

/// A console that is listening. It ends when this is dropped.
#[derive(Debug)]
#[must_use = "the console ends when this is dropped"]
pub struct Console {
    address: SocketAddr,
    server: ServerHandle,
    trials: Arc<Trials>,
    thread: Option<JoinHandle<()>>,
}

/// Why a console did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be read, is taken, not ours, or not allowed.
    #[error("cannot listen on {address} for the console")]
    Bind {
        /// The address asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The app's URL cannot be used.
    #[error(
        "the app's URL {given:?} cannot be used: {why}; allowed: such as http://127.0.0.1:8080"
    )]
    App {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// A button's path cannot be used.
    #[error(
        "the button {given:?} cannot be used; allowed: a path of the app such as /report?days=7"
    )]
    Button {
        /// What was given.
        given: String,
    },
    /// A host name cannot be allowed.
    #[error("the host {given:?} cannot be allowed: {why}")]
    Host {
        /// What was given.
        given: String,
        /// What is wrong with it, and what is allowed.
        why: String,
    },
    /// Buttons, and no app to ask.
    #[error("the console has buttons, but no app to ask; say where it is with Builder::app")]
    NoApp,
    /// The figures cannot be kept. It does not happen with the buckets that are set.
    #[error("the console cannot keep figures")]
    Metrics(#[source] BuildError),
    /// The system has no thread for it.
    #[error("the console's thread cannot start")]
    Thread(#[source] io::Error),
}

impl Builder {
    /// Where the app itself listens: what [buttons](Self::button) ask, and the port whose waiting
    /// connections are shown.
    pub fn app(mut self, url: impl Into<String>) -> Self {
        self.app = Some(url.into());
        self
    }

    /// Adds a button that probes this path of the app with GET requests; it may have a query.
    pub fn button(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.push(path.clone(), path, None, false);
        self
    }

    /// Answers under this host name, too, such as `console.example`; not under names below it. It is
    /// needed behind a reverse proxy that passes on the name that it was asked for, and where others
    /// on a network, such as a Prometheus, ask by name. Without a port: any will do.
    ///
    /// IP addresses, `localhost` and names that end in `.localhost` need not be allowed. Every other
    /// name is refused, whatever address the console listens on: see [who may
    /// look](crate#who-may-look).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), holdup_console::StartError> {
    /// use holdup_console::Console;
    ///
    /// let watch = holdup_watch::Watch::new();
    /// let _console = Console::builder(&watch, "0.0.0.0:8081")
    ///     .allow_host("console.example")
    ///     .start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// A button for a countdown of the lab, with the code that it runs.
    pub fn countdown(mut self, name: &str, code: String) -> Self {
        self.push(name.to_owned(), format!("/{name}"), Some(code), true);
        self
    }

    /// The app is the lab. A browser finds it at `url`, or else at the console's own host, on this
    /// port.
    pub fn lab(mut self, port: u16, url: Option<Url>) -> Self {
        self.lab = Some(url.map_or(Seen::Port(port), Seen::At));
        self
    }

    fn push(&mut self, label: String, path: String, code: Option<String>, countdown: bool) {
        self.buttons.push(Button {
            number: self.buttons.len(),
            label,
            path,
            code,
            countdown,
        });
    }

    /// Listens, on a thread of its own.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, or the app, a button or a host name cannot be used.
    pub fn start(self) -> Result<Console, StartError> {
        let app = self.checked_app()?;
        let names = self.checked_names()?;
        let bind = |source| StartError::Bind {
            address: self.address.clone(),
            source,
        };
        let addresses: Vec<_> = self.address.to_socket_addrs().map_err(bind)?.collect();
        let listener = TcpListener::bind(addresses.as_slice()).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;

        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
        let recorder = builder.map_err(StartError::Metrics)?.build_recorder();
        let (commands, asked) = tokio::sync::mpsc::channel(COMMANDS);
        let (trials, readers) = (Arc::new(Trials::new()), Arc::new(AtomicUsize::new(0)));
        let site = Data::new(Site {
            commands,
            trials: Arc::clone(&trials),
            readers: Arc::clone(&readers),
            metrics: recorder.handle(),
            buttons: self.buttons.clone(),
            app: app.clone(),
            lab: self.lab,
            names,
        });
        let hub = Hub {
            // Others may have listened before.
            lanes_before: self.watch.lanes(),
            // From here on, or what comes before the thread runs would be missed.
            events: self.watch.subscribe(),
            watch: self.watch,
            buttons: self.buttons,
            port: app.and_then(|url| url.port_or_known_default()),
            commands: asked,
            trial: trials.subscribe(),
            readers,
            recorder,
        };
        let (tell, told) = mpsc::channel();
        let run = move || {
            System::new().block_on(async move {
                match listen(listener, site) {
                    Ok(server) => {
                        tell.send(Ok(server.handle())).ok();
                        actix_rt::spawn(hub.run());
                        // It has told why; there is nobody left to tell.
                        server.await.ok();
                    }
                    Err(error) => {
                        tell.send(Err(error)).ok();
                    }
                }
            });
        };
        let thread = thread::Builder::new().name("holdup-console".to_owned());
        let thread = thread.spawn(run).map_err(StartError::Thread)?;
        let gone = |_| io::Error::other("its thread ended");
        let server = told.recv().map_err(gone).and_then(|server| server);
        let server = server.map_err(StartError::Thread)?;
        tracing::info!(target: "holdup", %address, "console is listening");
        Ok(Console {
            address,
            server,
            trials,
            thread: Some(thread),
        })
    }

    fn checked_names(&self) -> Result<Names, StartError> {
        let mut names = Names::default();
        for given in &self.hosts {
            let name = host_name(given).map_err(|why| StartError::Host {
                given: given.clone(),
                why,
            })?;
            names.add(name);
        }
        if let Some(Seen::At(url)) = &self.lab
            && let Some(Ok(name)) = url.host_str().map(host_name)
        {
            names.add(name);
        }
        Ok(names)
    }

    fn checked_app(&self) -> Result<Option<Url>, StartError> {
        let Some(given) = &self.app else {
            return if self.buttons.is_empty() {
                Ok(None)
            } else {
                Err(StartError::NoApp)
            };
        };
        let bad = |why: String| StartError::App {
            given: given.clone(),
            why,
        };
        let url = Url::parse(given).map_err(|error| bad(error.to_string()))?;
        if !is_web(url.scheme()) {
            return Err(bad(format!("its scheme is {}", url.scheme())));
        }
        for button in &self.buttons {
            let whole = url.join(&button.path).ok();
            let own = whole.is_some_and(|whole| whole.origin() == url.origin());
            if !button.path.starts_with('/') || !own {
                return Err(StartError::Button {
                    given: button.path.clone(),
                });
            }
        }
        Ok(Some(url))
    }
}

fn listen(listener: TcpListener, site: Data<Site>) -> io::Result<actix_web::dev::Server> {
    let app = move || {
        App::new()
            .configure(|config| server::configure(config, site.clone()))
            .wrap(from_fn(server::guarded))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(CONNECTIONS)
        .on_connect(bound_sending)
        .tcp_nodelay(true)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// A reader that stops reading costs this much, for this long.
fn bound_sending(connection: &dyn Any, _: &mut Extensions) {
    #[cfg(target_os = "linux")]
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        use rustix::net::sockopt;
        // Where they cannot be set, the system's own bounds are in force.
        sockopt::set_socket_send_buffer_size(stream, SEND_BUFFER).ok();
        sockopt::set_tcp_user_timeout(stream, UNREAD).ok();
    }
}

impl Console {
    /// A console for this watch, to listen on `address`, such as `127.0.0.1:8081`; port 0 picks a
    /// free one.
    pub fn builder(watch: &Watch, address: impl Into<String>) -> Builder {
        Builder {
            watch: watch.clone(),
            address: address.into(),
            app: None,
            buttons: Vec::new(),
            hosts: Vec::new(),
            lab: None,
        }
    }

    /// The address it really listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the probe that runs, if there is one.
    pub fn stop_probe(&self) {
        self.trials.stop();
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.trials.stop();
        // Sent at once; what it returns only waits for the end.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            // Its panic was told where it happened.
            thread.join().ok();
        }
    }
}
