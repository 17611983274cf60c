//! Opens a request for each route that its arguments name, waits until all of them wait, and prints where: a line
//! of JSON with `Watch::requests()` and `Watch::why_no_lines()`. It does so as often as the first argument says, each
//! time with new requests. Run by `tests/waits.rs`, which finds the right lines by their marks.

mod around;
mod arrivals;
mod libraries;
mod parts;
mod primitives;
mod upstream;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use actix_web::{App, HttpServer, web};
use holdup_watch::{AwaitPoint, OpenRequest, RequestState, Watch};
use rustix::net::sockopt::set_socket_linger;

/// As long as one round may take, in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn serve(watch: Watch) -> SocketAddr {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        System::new().block_on(async move {
            let app = move || {
                // The only thread of the blocking pool.
                drop(web::block(|| thread::sleep(primitives::LONG)));
                App::new()
                    .configure(primitives::routes)
                    .configure(libraries::routes)
                    .configure(around::routes)
                    .configure(parts::routes)
                    .wrap(watch.clone())
            };
            let server = HttpServer::new(app)
                .workers(1)
                .worker_max_blocking_threads(1);
            let server = server
                .disable_signals()
                .bind("127.0.0.1:0")
                .expect("a free port");
            tell.send(server.addrs()[0]).expect("main waits for it");
            server.run().await.expect("it runs");
        });
    });
    told.recv().expect("the server starts")
}

/// Sends a request, of whose body the beginning only.
fn ask(address: SocketAddr, route: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).expect("it listens");
    let (kind, body) = match route {
        "json" => ("application/json", "[1,"),
        "multipart" => ("multipart/form-data; boundary=x", "--x\r\n"),
        "bytes" | "text" | "payload" => ("text/plain", "begun"),
        _ => ("", ""),
    };
    let length = if body.is_empty() { 0 } else { 100 };
    let head = format!(
        "POST /{route} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    connection.write_all(head.as_bytes()).expect("sent");
    connection
}

/// Closes a connection such that the server does not go on with its request.
fn reset(connection: TcpStream) {
    set_socket_linger(&connection, Some(Duration::ZERO)).expect("a socket");
}

/// The requests once all of them wait, and have waited at as many places for a moment.
fn settled(watch: &Watch, routes: &[String]) -> Vec<OpenRequest> {
    let deadline = Instant::now() + PATIENCE;
    let mut before = Vec::new();
    let is_known = |at: &[AwaitPoint]| !at.is_empty() || watch.why_no_lines().is_some();
    while Instant::now() < deadline {
        thread::sleep(Duration::from_millis(150));
        let requests = watch.requests();
        let places = requests.iter().map(|request| match &request.state {
            RequestState::Waiting { at, .. } if is_known(at) => Some((request.number, at.len())),
            _ => None,
        });
        let places: Vec<_> = places.collect();
        let all_wait = places.len() == routes.len() && places.iter().all(Option::is_some);
        if all_wait && arrivals::are_complete(routes) && places == before {
            return requests;
        }
        before = places;
    }
    watch.requests()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
    let rounds: usize = rounds.expect("how many rounds");
    let routes: Vec<String> = arguments.collect();
    primitives::take();
    upstream::address();
    let watch = Watch::new();
    let address = serve(watch.clone());
    for _ in 0..rounds {
        let connections: Vec<_> = routes.iter().map(|route| ask(address, route)).collect();
        let requests = settled(&watch, &routes);
        arrivals::forget();
        let line =
            serde_json::json!({ "requests": requests, "why_no_lines": watch.why_no_lines() });
        println!("{line}");
        connections.into_iter().for_each(reset);
        let deadline = Instant::now() + PATIENCE;
        while !watch.requests().is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
    }
}
