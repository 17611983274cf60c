//! `Watch` on real apps: each way to block a worker is recorded with its route and part, and nothing else is.

mod blame;
mod forms;
mod harness;
mod held_up;
mod idle;
mod mixed;
mod outside;
mod published;
mod routes;
mod spans;
mod starved;
mod stopped;
mod workers;

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Payload, Service};
use actix_web::middleware::Compress;
use actix_web::web::{self, Bytes};
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, Responder, rt};
use async_stream::stream;
use holdup_watch::Watch;
use holdup_watch::{Activity, Culprit, Event, Hold, Part, Subscription};
use rustix::time::{ClockId, clock_gettime};

use holdup_testkit::app::{Served, serve};
use holdup_testkit::client::{connect, get, send};
use holdup_testkit::fifo::Fifo;
use holdup_testkit::{PATIENCE, pause};

/// Well over the threshold, so that it remains a hold after subtracting the time in which a busy machine
/// ran something else.
const LONG: Duration = Duration::from_millis(250);

/// The time of a hold is known to within a tick of the system's clock.
const TICK: Duration = Duration::from_millis(10);

/// Blocks as a badly written handler does.
fn block() {
    pause(LONG);
}

/// Waits for `count` holds that reach the threshold by themselves, and not because the machine is
/// busy.
fn holds(watch: &Watch, count: usize) -> Vec<Hold> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let holds: Vec<_> = watch
            .holds()
            .into_iter()
            .filter(|hold| hold.own_duration() >= holdup_watch::THRESHOLD)
            .collect();
        if holds.len() >= count || Instant::now() > deadline {
            return holds;
        }
        pause(Duration::from_millis(5));
    }
}

/// Asserts that a request to `path` causes one hold by that route and part, and returns the hold.
fn assert_held(served: &Served, watch: &Watch, path: &str, route: &str, part: Part) -> Hold {
    let before = holds(watch, 0).len();
    let reply = get(served.address, path);
    // The response is read to its end: a stream blocks the worker only while it is read.
    drop(reply.rest());
    let holds = holds(watch, before + 1);
    let [hold] = &holds[before..] else {
        panic!("{path}: expected one hold, got: {:?}", &holds[before..]);
    };
    assert_culprit(&hold.culprits[0], route, part);
    assert_eq!(hold.culprits.len(), 1, "{hold}");
    assert!(hold.duration + TICK >= LONG && !hold.ongoing, "{hold}");
    hold.clone()
}

fn assert_culprit(culprit: &Culprit, route: &str, part: Part) {
    let recorded = (
        culprit.method.as_str(),
        culprit.route.as_str(),
        culprit.part,
    );
    assert_eq!(recorded, ("GET", route, part), "{culprit}");
}

/// The message with which `assert_no_holds` fails.
fn failure(watch: &Watch) -> String {
    let failed = std::panic::catch_unwind(AssertUnwindSafe(|| watch.assert_no_holds()));
    let payload = failed.expect_err("the assertion fails");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("a message")).to_owned(),
    }
}

struct BlockingExtractor;

impl FromRequest for BlockingExtractor {
    type Error = actix_web::Error;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        block();
        std::future::ready(Ok(Self))
    }
}

struct BlocksInDrop;

impl Drop for BlocksInDrop {
    fn drop(&mut self) {
        block();
    }
}

async fn before_the_first_await() -> impl Responder {
    block();
    rt::time::sleep(Duration::from_millis(1)).await;
    "done"
}

async fn between_awaits() -> impl Responder {
    rt::time::sleep(Duration::from_millis(1)).await;
    block();
    rt::time::sleep(Duration::from_millis(1)).await;
    "done"
}

async fn in_an_extractor(_: BlockingExtractor) -> impl Responder {
    "done"
}

async fn in_a_drop() -> impl Responder {
    let _blocks = BlocksInDrop;
    rt::time::sleep(Duration::from_millis(1)).await;
    "done"
}

async fn in_the_body() -> impl Responder {
    HttpResponse::Ok().streaming(stream! {
        yield Ok::<_, actix_web::Error>(Bytes::from_static(b"first"));
        block();
        yield Ok(Bytes::from_static(b"second"));
    })
}

async fn in_a_cpu_loop() -> impl Responder {
    let computed = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(
            time.tv_sec.unsigned_abs(),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    };
    let until = computed() + LONG;
    let mut n = 1_u64;
    while computed() < until {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }
    n.to_string()
}

async fn in_a_lock(lock: web::Data<Mutex<()>>) -> impl Responder {
    let lock = lock.into_inner();
    let (locked, wait) = std::sync::mpsc::channel();
    let holder = Arc::clone(&lock);
    thread::spawn(move || {
        let _held = holder.lock().expect("nobody panics with it");
        locked.send(()).expect("the handler waits");
        block();
    });
    wait.recv().expect("the thread sends");
    drop(lock.lock().expect("nobody panics with it"));
    "done"
}

async fn in_a_file() -> impl Responder {
    let fifo = Fifo::new();
    let path = fifo.to_owned();
    thread::spawn(move || {
        block();
        std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .expect("a reader waits");
    });
    std::fs::read(&*fifo).expect("a FIFO");
    "done"
}

async fn in_a_spawned_task() -> impl Responder {
    rt::spawn(async { pause(LONG * 2) });
    "done"
}

async fn healthy() -> impl Responder {
    rt::time::sleep(LONG).await;
    "done"
}

fn app_with_every_form(watch: &Watch) -> Served {
    let watch = watch.clone();
    let lock = web::Data::new(Mutex::new(()));
    serve(move || {
        App::new()
            .app_data(lock.clone())
            .route("/before", web::get().to(before_the_first_await))
            .route("/between/{id}", web::get().to(between_awaits))
            .route("/extractor", web::get().to(in_an_extractor))
            .route("/drop", web::get().to(in_a_drop))
            .route("/body", web::get().to(in_the_body))
            .route("/cpu", web::get().to(in_a_cpu_loop))
            .route("/lock", web::get().to(in_a_lock))
            .route("/file", web::get().to(in_a_file))
            .route("/spawned", web::get().to(in_a_spawned_task))
            .route("/healthy", web::get().to(healthy))
            .service(
                web::scope("/inner")
                    .wrap_fn(|request, service| {
                        block();
                        service.call(request)
                    })
                    .route("/call", web::get().to(healthy)),
            )
            .wrap(watch.clone())
    })
}

/// A handler that blocks its worker until the test releases it.
#[derive(Clone)]
struct Gate {
    lock: Arc<Mutex<()>>,
    entered: mpsc::Sender<()>,
}

impl Gate {
    fn new() -> (Self, mpsc::Receiver<()>) {
        let (entered, enters) = mpsc::channel();
        (
            Self {
                lock: Arc::default(),
                entered,
            },
            enters,
        )
    }

    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn pass(gate: web::Data<Self>) -> impl Responder {
        gate.entered.send(()).expect("the test waits for it");
        drop(gate.lock.lock().expect("nobody panics with it"));
        "done"
    }
}
