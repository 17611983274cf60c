//! The lab's routes alone, with or without `Watch` around them. The two variants differ only in
//! that line, so their difference is the cost of `Watch`. `holdup-peer-lab PORT [--watch]`
//!
//! The settings are those of `holdup serve`, without the console and the logs.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpServer};
use holdup::countdown::Context;
use holdup::routes;
use holdup::streams::Streams;
use holdup_watch::Watch;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const STREAMS: usize = 25_000;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = arguments.first().and_then(|port| port.parse().ok());
    let port = port.expect("the port is the first argument");
    let watched = arguments.iter().any(|argument| argument == "--watch");
    actix_rt::System::new().block_on(serve(port, watched))
}

/// Raises the limit on open files, as the program does: each connection is an open file.
fn raise_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit it may be raised");
}

async fn serve(port: u16, watched: bool) -> io::Result<()> {
    raise_open_files();
    let context = Context {
        worker: 0,
        max_duration: Duration::from_secs(60),
        streams: Arc::new(Streams::new(STREAMS)),
    };
    let app = move || {
        holdup_timer::install().expect("a timer for the worker");
        App::new().configure(|config| routes::configure(config, context.clone()))
    };
    macro_rules! run {
        ($app:expr) => {{
            let server = HttpServer::new($app)
                .workers(1)
                .backlog(16_384)
                .max_connections(STREAMS)
                .client_request_timeout(Duration::from_secs(125))
                .keep_alive(Duration::from_secs(5))
                .h1_write_buffer_size(1)
                .h1_allow_half_closed(false)
                .bind((Ipv4Addr::LOCALHOST, port))?;
            println!("listening on {}", server.addrs()[0]);
            server.run().await
        }};
    }
    if watched {
        let watch = Watch::new().record_query(true);
        run!(move || app().wrap(watch.clone()))
    } else {
        run!(app)
    }
}
