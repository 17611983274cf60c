//! What looks cost with many open requests.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};
use holdup_testkit::app::{Served, serve_on};
use holdup_testkit::client::{connect, get};
use holdup_testkit::{PATIENCE, pause};
use holdup_watch::testing::look;
use holdup_watch::{OpenRequest, RequestState, Watch};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

type Gate = Arc<Mutex<()>>;

async fn waits(notify: Data<tokio::sync::Notify>) -> HttpResponse {
    notify.notified().await;
    HttpResponse::Ok().body("told")
}

async fn thread() -> String {
    rustix::thread::gettid().as_raw_nonzero().to_string()
}

async fn holds(gate: Data<Gate>) -> HttpResponse {
    drop(gate.lock());
    HttpResponse::Ok().body("held")
}

/// Serves an app with this many requests that wait. Each has a connection of its own.
fn serve_waiting(
    watch: &Watch,
    workers: usize,
    requests: usize,
    gate: &Gate,
) -> (Served, Vec<TcpStream>) {
    // Both ends of each connection are in this process.
    let needed = 2 * requests as u64 + 200;
    let maximum = getrlimit(Resource::Nofile).maximum;
    assert!(
        maximum.is_none_or(|most| most >= needed),
        "the test needs {needed} open files, and the limit is {maximum:?}"
    );
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the maximum is allowed");
    let (own, gate) = (watch.clone(), Data::new(Arc::clone(gate)));
    let notify = Data::new(tokio::sync::Notify::new());
    let served = serve_on(workers, move || {
        App::new()
            .app_data(notify.clone())
            .app_data(gate.clone())
            .route("/waits", web::get().to(waits))
            .route("/thread", web::get().to(thread))
            .route("/holds", web::get().to(holds))
            .wrap(own.clone())
    });
    let clients = (0..requests)
        .map(|_| send(served.address, "/waits"))
        .collect();
    let open = || {
        watch
            .workers()
            .iter()
            .map(|worker| worker.open)
            .sum::<usize>()
    };
    wait_until(|| open() == requests);
    (served, clients)
}

fn send(address: SocketAddr, path: &str) -> TcpStream {
    let mut connection = connect(address);
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
    connection
        .write_all(request.as_bytes())
        .expect("the server reads");
    connection
}

fn wait_until(is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "it never is");
        pause(Duration::from_millis(1));
    }
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    (run(), started.elapsed())
}

fn with_places(requests: &[OpenRequest]) -> usize {
    let has = |request: &&OpenRequest| matches!(&request.state, RequestState::Waiting { at, .. } if !at.is_empty());
    requests.iter().filter(has).count()
}

/// All requests are listed while every worker is held. Returns how long each of several calls took.
fn list_while_held(requests: usize) -> Vec<Duration> {
    let (watch, gate) = (Watch::new(), Gate::default());
    let workers = 2;
    let (served, clients) = serve_waiting(&watch, workers, requests, &gate);
    // The names are read now.
    watch.requests();
    let closed = gate.lock().expect("nobody panics with it");
    let mut held = Vec::new();
    while watch.held_now().len() < workers {
        held.push(send(served.address, "/holds"));
        pause(Duration::from_millis(200));
    }
    let call = || {
        let (listed, took) = timed(|| watch.requests());
        let waiting =
            |request: &&OpenRequest| request.route == "/waits" && request.behind.is_some();
        assert_eq!(listed.iter().filter(waiting).count(), requests);
        assert!(listed.is_sorted_by(|one, other| one.age >= other.age));
        took
    };
    let took = (0..20).map(|_| call()).collect();
    drop(closed);
    drop((held, clients));
    took
}

#[test]
fn all_open_requests_are_listed_while_every_worker_is_held() {
    list_while_held(300);
}

#[test]
#[ignore = "a figure: on a machine with nothing else to do, in a release build"]
fn nine_thousand_requests_are_listed_within_50_ms_while_every_worker_is_held() {
    let mut took = list_while_held(9_000);
    took.sort_unstable();
    println!(
        "9,000 open, both workers held: median {:.1?}, longest {:.1?}",
        took[10], took[19]
    );
    assert!(took[19] < Duration::from_millis(50), "{took:?}");
}

/// The CPU time of a thread of this process that has nothing more to do.
fn cpu(thread: &str) -> Duration {
    // The system counts the time of a thread that runs only from tick to tick.
    pause(Duration::from_millis(50));
    let path = format!("/proc/self/task/{thread}/schedstat");
    let stat = std::fs::read_to_string(path).expect("the thread is there");
    let time = stat.split(' ').next().and_then(|time| time.parse().ok());
    Duration::from_nanos(time.expect("a time"))
}

#[test]
#[ignore = "a figure: on a machine with nothing else to do, in a release build"]
fn the_cost_of_a_look_at_a_thousand_open_requests() {
    const OPEN: u32 = 1000;
    let (watch, gate) = (Watch::new(), Gate::default());
    let (served, _clients) = serve_waiting(&watch, 1, OPEN as usize, &gate);
    let worker = get(served.address, "/thread").body();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");

    // The first 256 are asked, and their names read. From then on as many in each second.
    let (listed, first) = timed(|| watch.requests());
    println!(
        "requests(), the first call: {first:.1?}, {} with places",
        with_places(&listed)
    );
    pause(Duration::from_millis(1100));
    let before = cpu(&worker);
    let (listed, call) = timed(|| watch.requests());
    let busy = cpu(&worker).saturating_sub(before);
    println!(
        "requests(), 256 asked: {call:.1?}, worker busy for {busy:.1?}, {} with places",
        with_places(&listed)
    );
    let (_, call) = timed(|| watch.requests());
    println!("requests(), nobody asked: {call:.1?}");

    let before = cpu(&worker);
    let (listed, call) = timed(|| runtime.block_on(look(&watch)));
    let busy = cpu(&worker).saturating_sub(before);
    println!(
        "look(), {} asked: {call:.1?}, worker busy for {busy:.1?}: {:.1?} each; {} with places",
        OPEN - 512,
        busy / (OPEN - 512),
        with_places(&listed)
    );
    assert_eq!(listed.len(), OPEN as usize);
}
