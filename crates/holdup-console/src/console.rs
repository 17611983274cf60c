//! A running console: a listener, served on its own thread.

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_rt::System;
use actix_rt::net::TcpStream;
use actix_web::dev::{Extensions, Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};

use super::error::StartError;
use super::hub::Hub;
use super::page::Asset;
use super::probes::Probes;
use super::replay::Conductor;
use super::server;
use super::site::Site;

/// The size of a connection's send buffer in the kernel.
#[cfg(target_os = "linux")]
const SEND_BUFFER: usize = 128 * 1024;

/// A console that is listening. It stops when this value is dropped.
#[derive(Debug)]
#[must_use = "the console ends when this is dropped"]
pub struct Console {
    address: SocketAddr,
    server: ServerHandle,
    probes: Arc<Probes>,
    thread: Option<JoinHandle<()>>,
}

/// What the console's thread needs.
pub(super) struct Parts {
    pub(super) listener: TcpListener,
    pub(super) site: Data<Site>,
    pub(super) assets: Vec<Asset>,
    pub(super) probes: Arc<Probes>,
    pub(super) task: Task,
    /// The most simultaneous connections.
    pub(super) connections: usize,
    /// How long a client may leave sent bytes unread before its connection is closed.
    pub(super) unread: Duration,
}

/// What the page shows.
pub(super) enum Task {
    /// A watch.
    Live(Box<Hub>),
    /// A record.
    Replay(Box<Conductor>),
}

impl Task {
    fn spawn(self) {
        match self {
            Self::Live(hub) => drop(actix_rt::spawn(hub.run())),
            Self::Replay(conductor) => drop(actix_rt::spawn(conductor.run())),
        }
    }
}

impl Console {
    pub(super) fn run(parts: Parts) -> Result<Self, StartError> {
        let address = parts.listener.local_addr().map_err(StartError::Thread)?;
        let probes = Arc::clone(&parts.probes);
        let (send, started) = mpsc::channel();
        let run = move || {
            System::new().block_on(async move {
                match listen(parts) {
                    Ok((server, task)) => {
                        send.send(Ok(server.handle())).ok();
                        task.spawn();
                        // The hub logs its own errors.
                        server.await.ok();
                    }
                    Err(error) => {
                        send.send(Err(error)).ok();
                    }
                }
            });
        };
        let thread = thread::Builder::new().name("holdup-console".to_owned());
        let thread = thread.spawn(run).map_err(StartError::Thread)?;
        let gone = |_| io::Error::other("its thread ended");
        let server = started.recv().map_err(gone).and_then(|server| server);
        let server = server.map_err(StartError::Thread)?;
        tracing::info!(target: "holdup", %address, "console is listening");
        Ok(Self {
            address,
            server,
            probes,
            thread: Some(thread),
        })
    }

    /// The address that the console is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the running probe, if there is one.
    pub fn stop_probe(&self) {
        self.probes.stop();
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.probes.stop();
        // The call sends the command; the future that it returns only waits for the end.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            // The panic hook has already reported a panic of the thread.
            thread.join().ok();
        }
    }
}

fn listen(parts: Parts) -> io::Result<(Server, Task)> {
    let Parts {
        listener,
        site,
        assets,
        probes,
        task,
        connections,
        unread,
    } = parts;
    let app = move || {
        App::new()
            .configure(|config| server::configure(config, site.clone(), &assets, &probes))
            .wrap(from_fn(server::guarded))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(connections)
        .on_connect(move |connection, _: &mut Extensions| bound_sending(connection, unread))
        .tcp_nodelay(true)
        .disable_signals()
        .listen(listener)?;
    Ok((server.run(), task))
}

/// Bounds what a client that stops reading costs: one send buffer in the kernel, for this long.
fn bound_sending(connection: &dyn Any, unread: Duration) {
    #[cfg(target_os = "linux")]
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        use rustix::net::sockopt;
        let unread = u32::try_from(unread.as_millis()).unwrap_or(u32::MAX);
        // If the options cannot be set, the system's own limits apply.
        sockopt::set_socket_send_buffer_size(stream, SEND_BUFFER).ok();
        sockopt::set_tcp_user_timeout(stream, unread).ok();
    }
}
