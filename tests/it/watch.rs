//! `Watch` on real apps: each way to hold a worker is seen, with its route and part, and no other.

use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Payload, Service};
use actix_web::middleware::Compress;
use actix_web::web::{self, Bytes};
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, Responder, rt};
use async_stream::stream;
use holdup::Watch;
use holdup::watch::{Culprit, Event, Hold, Part};
use rustix::time::{ClockId, clock_gettime};

use crate::support::app::{Served, serve};
use crate::support::client::{connect, get, send};
use crate::support::server::{PATIENCE, Server, pause};

/// Well over the threshold, so that it is still a hold when the time in which a busy machine ran
/// something else is taken off.
const LONG: Duration = Duration::from_millis(250);

/// The time of a hold is known to within a tick of the system's clock.
const TICK: Duration = Duration::from_millis(10);

/// Blocks as a badly written handler does.
fn block() {
    pause(LONG);
}

/// Waits for holds that last by themselves at least the threshold, not because the machine is
/// busy; `count` of them.
fn holds(watch: &Watch, count: usize) -> Vec<Hold> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let holds: Vec<_> = watch
            .holds()
            .into_iter()
            .filter(|hold| hold.own_duration() >= holdup::watch::THRESHOLD)
            .collect();
        if holds.len() >= count || Instant::now() > deadline {
            return holds;
        }
        pause(Duration::from_millis(5));
    }
}

/// Asserts that getting `path` is one hold, of the route and part, and returns it.
fn assert_held(served: &Served, watch: &Watch, path: &str, route: &str, part: Part) -> Hold {
    let before = holds(watch, 0).len();
    let reply = get(served.address, path);
    // Read to the end: a stream holds the worker as long as somebody reads it.
    drop(reply.rest());
    let holds = holds(watch, before + 1);
    let [hold] = &holds[before..] else {
        panic!("{path}: one hold expected, seen: {:?}", &holds[before..]);
    };
    assert_culprit(&hold.culprits[0], route, part);
    assert_eq!(hold.culprits.len(), 1, "{hold}");
    assert!(hold.duration + TICK >= LONG && !hold.ongoing, "{hold}");
    hold.clone()
}

fn assert_culprit(culprit: &Culprit, route: &str, part: Part) {
    let seen = (
        culprit.method.as_str(),
        culprit.route.as_str(),
        culprit.part,
    );
    assert_eq!(seen, ("GET", route, part), "{culprit}");
}

/// What `assert_no_holds` fails with.
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
    static FIFOS: AtomicU32 = AtomicU32::new(0);
    let number = FIFOS.fetch_add(1, Ordering::Relaxed);
    let fifo = std::env::temp_dir().join(format!("holdup-test-{}-{number}", std::process::id()));
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).expect("a FIFO");
    let path = fifo.clone();
    thread::spawn(move || {
        block();
        std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .expect("a reader waits");
    });
    std::fs::read(&fifo).expect("a FIFO");
    std::fs::remove_file(&fifo).expect("our own");
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

#[test]
fn every_form_of_blocking_is_one_hold_with_its_route_and_part() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    for (path, route, part) in [
        ("/before", "/before", Part::Future),
        ("/between/7?q=1", "/between/{id}", Part::Future),
        ("/extractor", "/extractor", Part::Future),
        ("/drop", "/drop", Part::Future),
        ("/body", "/body", Part::Body),
        ("/lock", "/lock", Part::Future),
        ("/file", "/file", Part::Future),
        ("/inner/call", "/inner/call", Part::Call),
    ] {
        let hold = assert_held(&served, &watch, path, route, part);
        let cpu = hold.cpu.expect("Linux tells it");
        assert!(cpu < hold.duration / 2, "it waited: {hold}");
    }
    let computing = assert_held(&served, &watch, "/cpu", "/cpu", Part::Future);
    // What was not computing was not scheduled: nothing else is in that loop.
    let cpu = computing.cpu.expect("Linux tells it");
    let accounted = cpu + computing.descheduled.expect("Linux tells it");
    assert!(accounted * 10 >= computing.duration * 8, "{computing}");
}

#[test]
fn a_spawned_task_that_blocks_is_a_hold_that_nobody_is_blamed_for() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    // The heartbeat has to be there before the task.
    get(served.address, "/none");
    get(served.address, "/spawned");
    let holds = holds(&watch, 1);
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].culprits, [], "{}", holds[0]);
    assert!(holds[0].duration >= LONG, "{}", holds[0]);
    assert!(
        holds[0]
            .to_string()
            .starts_with("something outside the watched requests held")
    );
}

#[test]
fn a_handler_that_awaits_holds_nobody_and_a_watch_that_saw_nothing_fails_the_test() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    let message = failure(&watch);
    assert!(message.contains("saw no request"), "{message}");

    let clients: Vec<_> = (0..20)
        .map(|_| {
            let address = served.address;
            thread::spawn(move || get(address, "/healthy").status)
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    watch.assert_no_holds();
}

/// A handler that holds its worker until the test lets it go.
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

#[test]
fn ten_requests_of_one_turn_are_one_hold_with_ten_culprits() {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = {
        let (watch, gate) = (watch.clone(), gate.clone());
        serve(move || {
            let slow = async || {
                pause(Duration::from_millis(15));
                "done"
            };
            App::new()
                .app_data(web::Data::new(gate.clone()))
                .route("/slow", web::get().to(slow))
                .route("/gate", web::get().to(Gate::pass))
                .wrap(watch.clone())
        })
    };
    // Ten connections that the worker knows already, so that all ten requests are read in one turn.
    let request = format!("GET /slow HTTP/1.1\r\nHost: {}\r\n\r\n", served.address);
    let mut connections: Vec<_> = (0..10)
        .map(|_| {
            let mut connection = connect(served.address);
            connection.write_all(request.as_bytes()).expect("sent");
            let mut first = [0; 12];
            std::io::Read::read_exact(&mut connection, &mut first).expect("an answer");
            connection
        })
        .collect();
    // They come while the worker is at something else.
    let closed = gate.lock.lock().expect("nobody panics with it");
    let address = served.address;
    let client = thread::spawn(move || get(address, "/gate").status);
    entered.recv().expect("the worker enters");
    for connection in &mut connections {
        connection.write_all(request.as_bytes()).expect("sent");
    }
    drop(closed);
    assert_eq!(client.join().expect("an answer"), 200);

    let of_slow = |culprit: &&Culprit| culprit.route == "/slow" && culprit.part == Part::Future;
    let ten = |hold: &&Hold| hold.culprits.iter().filter(of_slow).count() == 10;
    let deadline = Instant::now() + PATIENCE;
    while !watch.holds().iter().any(|hold| ten(&hold)) {
        assert!(Instant::now() < deadline, "{:?}", watch.holds());
        pause(Duration::from_millis(5));
    }
    let holds = watch.holds();
    let hold = holds.iter().find(ten).expect("it was there");
    assert!(hold.duration + TICK >= Duration::from_millis(150), "{hold}");
}

#[test]
fn a_hold_is_told_while_it_lasts_with_the_other_requests_that_are_open() {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = {
        let (watch, gate) = (watch.clone(), gate.clone());
        serve(move || {
            App::new()
                .app_data(web::Data::new(gate.clone()))
                .route("/open", web::get().to(std::future::pending::<HttpResponse>))
                .route("/held", web::get().to(Gate::pass))
                .wrap(watch.clone())
        })
    };
    let mut events = watch.subscribe();
    let mut event = || {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match events.try_next() {
                Some(event @ (Event::Held(_) | Event::Released(_))) => return event,
                _ => pause(Duration::from_millis(2)),
            }
            assert!(Instant::now() < deadline, "nothing is told");
        }
    };
    let closed = gate.lock.lock().expect("nobody panics with it");
    let mut open = connect(served.address);
    open.write_all(b"GET /open HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("sent");
    // Answered behind it on the same worker, so /open has been read.
    assert_eq!(get(served.address, "/none").status, 404);
    let address = served.address;
    let client = thread::spawn(move || get(address, "/held").status);
    entered.recv().expect("the worker enters");

    let Event::Held(hold) = event() else {
        panic!("released before it was held")
    };
    assert_culprit(&hold.culprits[0], "/held", Part::Future);
    assert!(hold.ongoing && hold.waiting == 1, "{hold}");
    let now = watch.held_now();
    assert_eq!(now.len(), 1, "{now:?}");
    assert!(
        now[0].duration >= hold.duration && watch.holds().is_empty(),
        "{now:?}"
    );

    drop(closed);
    assert_eq!(client.join().expect("an answer"), 200);
    let Event::Released(hold) = event() else {
        panic!("told twice")
    };
    assert_culprit(&hold.culprits[0], "/held", Part::Future);
    assert!(!hold.ongoing && hold.waiting == 1, "{hold}");
    assert!(watch.held_now().is_empty());
    assert_eq!(watch.holds(), [hold]);
}

#[test]
fn lanes_are_recorded_while_somebody_listens_without_the_query() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    get(served.address, "/between/1");
    let mut events = watch.subscribe();
    drop(
        send(
            served.address,
            b"GET /body?secret=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .map(|mut reply| while let Ok(Some(_)) = reply.chunk() {}),
    );
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while !seen
        .iter()
        .any(|event| matches!(event, Event::Ended { .. }))
    {
        match events.try_next() {
            Some(Event::Held(_) | Event::Released(_)) => {}
            Some(event) => seen.push(event),
            None => pause(Duration::from_millis(5)),
        }
        assert!(Instant::now() < deadline, "{seen:?}");
    }
    let seen: Vec<_> = seen
        .iter()
        .map(|event| serde_json::to_value(event).expect("JSON"))
        .collect();
    let kinds: Vec<_> = seen
        .iter()
        .map(|event| event["event"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        kinds,
        ["opened", "answered", "chunk", "chunk", "ended"],
        "{seen:?}"
    );
    assert_eq!(
        (&seen[0]["path"], &seen[0]["route"]),
        (&"/body".into(), &"/body".into())
    );
    assert_eq!(
        (&seen[2]["bytes"], &seen[3]["bytes"]),
        (&5.into(), &6.into())
    );
    assert_eq!(seen[4]["finished"], true);
    let times: Vec<_> = seen
        .iter()
        .map(|event| event["at_ms"].as_f64().expect("a time"))
        .collect();
    assert!(
        times.is_sorted() && times[3] - times[2] >= 250.0,
        "{times:?}"
    );
}

#[test]
fn it_works_nested_twice_compressed_and_after_a_panic_and_on_an_upgrade() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        serve(move || {
            App::new()
                .service(
                    web::scope("/api/{version}")
                        .wrap(watch.clone())
                        .service(web::scope("/deep").route("/{id}", web::get().to(between_awaits))),
                )
                .route("/body", web::get().to(in_the_body))
                .route(
                    "/panics",
                    web::get().to(async || -> HttpResponse { panic!("on purpose") }),
                )
                .route(
                    "/fails",
                    web::get().to(async || {
                        block();
                        Err::<HttpResponse, _>(actix_web::error::ErrorImATeapot("on purpose"))
                    }),
                )
                .route(
                    "/upgrade",
                    web::get().to(async || {
                        HttpResponse::SwitchingProtocols()
                            .upgrade("echo")
                            .streaming(stream! {
                                yield Ok::<_, actix_web::Error>(Bytes::from_static(b"hello"));
                                block();
                                yield Ok(Bytes::from_static(b"bye"));
                            })
                    }),
                )
                .wrap(Compress::default())
                .wrap(watch.clone())
        })
    };
    send(served.address, b"GET /panics HTTP/1.1\r\nHost: x\r\n\r\n")
        .err()
        .expect("no answer");
    let hold = assert_held(
        &served,
        &watch,
        "/api/v1/deep/9",
        "/api/{version}/deep/{id}",
        Part::Future,
    );
    assert_eq!(
        hold.culprits[0].polls, 1,
        "counted once, though watched twice: {hold}"
    );
    assert_held(&served, &watch, "/fails", "/fails", Part::Future);

    let before = holds(&watch, 0).len();
    let request = b"GET /body HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n";
    let mut reply = send(served.address, request).expect("an answer");
    assert_eq!(reply.headers["content-encoding"], "gzip");
    while reply.chunk().is_ok_and(|chunk| chunk.is_some()) {}
    assert_culprit(
        &holds(&watch, before + 1)[before].culprits[0],
        "/body",
        Part::Body,
    );

    let request =
        b"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let reply = send(served.address, request).expect("an answer");
    assert_eq!(reply.status, 101);
    assert_culprit(
        &holds(&watch, before + 2)[before + 1].culprits[0],
        "/upgrade",
        Part::Body,
    );

    // What matches no route is one name, whatever the path.
    assert_eq!(get(served.address, "/nowhere/1").status, 404);
    assert_eq!(watch.holds().len(), before + 2);
}

#[actix_web::test]
async fn the_size_of_a_body_is_passed_on() {
    let watch = Watch::new();
    let app = App::new()
        .wrap(watch.clone())
        .route("/", web::get().to(async || "four"));
    let app = actix_web::test::init_service(app).await;
    for listening in [false, true] {
        let _events = listening.then(|| watch.subscribe());
        let request = actix_web::test::TestRequest::get().to_request();
        let response = app.call(request).await.expect("an answer");
        assert_eq!(response.response().body().size(), BodySize::Sized(4));
        assert_eq!(actix_web::test::read_body(response).await, "four");
    }
    watch.assert_no_holds();
}

#[actix_web::test]
async fn a_hold_in_the_harness_fails_the_test_before_the_loop_has_turned() {
    let watch = Watch::new();
    let app = App::new()
        .wrap(watch.clone())
        .route("/drop/{id}", web::get().to(in_a_drop));
    let app = actix_web::test::init_service(app).await;
    let request = actix_web::test::TestRequest::get()
        .uri("/drop/1")
        .to_request();
    actix_web::test::call_service(&app, request).await;
    let message = failure(&watch);
    assert!(message.contains("GET /drop/{id} (future, "), "{message}");
    assert!(message.contains("web::block"), "{message}");
}

/// An app whose only route takes a while, but no hold's time.
fn a_while() -> App<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let handler = async || {
        pause(Duration::from_millis(12));
        "done"
    };
    App::new().route("/while", web::get().to(handler))
}

#[actix_web::test]
async fn what_the_test_itself_does_between_requests_is_not_the_apps() {
    let watch = Watch::new();
    let app = actix_web::test::init_service(a_while().wrap(watch.clone())).await;
    for _ in 0..10 {
        let request = actix_web::test::TestRequest::get()
            .uri("/while")
            .to_request();
        actix_web::test::call_service(&app, request).await;
    }
    pause(LONG);
    let request = actix_web::test::TestRequest::get()
        .uri("/while")
        .to_request();
    actix_web::test::call_service(&app, request).await;
    watch.assert_no_holds();
    rt::time::sleep(Duration::from_millis(50)).await;
    watch.assert_no_holds();
}

#[test]
fn a_client_that_asserts_right_after_its_answer_sees_the_hold() {
    for _ in 0..20 {
        let watch = Watch::new().threshold(Duration::from_millis(20));
        let served = {
            let watch = watch.clone();
            let handler = async || {
                pause(Duration::from_millis(60));
                "done"
            };
            serve(move || {
                App::new()
                    .route("/", web::get().to(handler))
                    .wrap(watch.clone())
            })
        };
        get(served.address, "/");
        failure(&watch);
    }
}

#[test]
fn a_handler_is_not_blamed_for_the_task_that_it_spawned() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        let handler = async || {
            rt::spawn(async { pause(LONG) });
            pause(Duration::from_millis(12));
            "done"
        };
        serve(move || {
            App::new()
                .route("/kick", web::get().to(handler))
                .wrap(watch.clone())
        })
    };
    get(served.address, "/kick");
    let holds = holds(&watch, 1);
    assert_eq!(holds[0].culprits, [], "{}", holds[0]);
}

#[test]
fn a_second_app_of_one_watch_is_watched_too_and_by_its_own_routes() {
    let watch = Watch::new();
    let mut events = watch.subscribe();
    for route in ["/first/{id}", "/{any}/second"] {
        let served = {
            let watch = watch.clone();
            let handler = async || {
                block();
                "done"
            };
            serve(move || {
                App::new()
                    .route(route, web::get().to(handler))
                    .wrap(watch.clone())
            })
        };
        get(served.address, "/first/second");
        let deadline = Instant::now() + PATIENCE;
        let released = loop {
            match events.try_next() {
                Some(Event::Released(hold)) => break hold,
                _ => pause(Duration::from_millis(2)),
            }
            assert!(Instant::now() < deadline, "{route}: nothing is told");
        };
        assert_eq!(released.culprits[0].route, route);
    }
}

#[test]
fn a_worker_knows_its_number_and_held_now_shows_what_is_outside_of_requests() {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = {
        let (watch, gate) = (watch.clone(), gate.clone());
        serve(move || {
            let number = watch.worker();
            assert_eq!(number, watch.worker());
            let gate = gate.clone();
            App::new()
                .route(
                    "/number",
                    web::get().to(move || async move { number.to_string() }),
                )
                .route(
                    "/spawn",
                    web::get().to(move || {
                        let gate = web::Data::new(gate.clone());
                        async move {
                            rt::spawn(async move { drop(Gate::pass(gate).await) });
                            "done"
                        }
                    }),
                )
                .wrap(watch.clone())
        })
    };
    let number: usize = get(served.address, "/number")
        .body()
        .parse()
        .expect("a number");
    assert_ne!(watch.worker(), number, "the test's thread is another");
    let closed = gate.lock.lock().expect("nobody panics with it");
    get(served.address, "/spawn");
    entered.recv().expect("the task runs");
    let deadline = Instant::now() + PATIENCE;
    while watch.held_now().is_empty() {
        assert!(Instant::now() < deadline, "nothing is seen");
        pause(Duration::from_millis(2));
    }
    let now = watch.held_now();
    assert_eq!(
        (now[0].worker, now[0].culprits.len()),
        (number, 0),
        "{now:?}"
    );
    drop(closed);
}

#[test]
fn the_labs_blocking_countdown_is_exactly_one_hold_and_the_next_client_another() {
    let server = Server::start(&[]);
    let mut first = get(server.address, "/blocking?from=3&period=200ms");
    first.tick().expect("a first tick");
    let address = server.address;
    let second = thread::spawn(move || get(address, "/blocking?from=2&period=200ms").ticks());
    // Told while the first still counts: six tenths of a second, and it says so after one.
    server.logged("the first hold", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.starts_with("GET /blocking (body, ") && text.contains(" holds worker 0 for ")
    });
    assert_eq!(first.ticks().len(), 3);
    assert_eq!(second.join().expect("read to the end").len(), 3);
    let ended = |line: &serde_json::Value| line["duration_ms"].as_f64();
    let two = server.logged_when("the ends of two holds", |lines| {
        let two: Vec<_> = lines
            .iter()
            .filter(|line| ended(line).is_some())
            .cloned()
            .collect();
        (two.len() >= 2).then_some(two)
    });
    assert_eq!(two.len(), 2, "{two:?}");
    // The first poll ends at once, and counts only if a tick of the clock fell into it.
    for (line, polls, least) in [(&two[0], [4, 5], 590.0), (&two[1], [3, 4], 390.0)] {
        let text = line["message"].as_str().expect("text");
        let named = |n: &u32| text.starts_with(&format!("GET /blocking (body, {n} polls"));
        assert!(
            polls.iter().any(named) && text.contains(" held worker 0 for "),
            "{text}"
        );
        assert!(
            ended(line).is_some_and(|duration| duration >= least),
            "{text}"
        );
    }
}

#[test]
fn the_metrics_page_answers_while_the_worker_is_held() {
    let server = Server::start(&["--metrics", "127.0.0.1:0"]);
    let line = server.logged("the address", |line| {
        line["message"] == "metrics are at /metrics"
    });
    let metrics = line["address"]
        .as_str()
        .expect("an address")
        .parse()
        .expect("an address");
    let mut blocking = get(server.address, "/blocking?from=30&period=1s");
    blocking.tick().expect("a first tick");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = get(metrics, "/metrics").body();
        if page.contains("\nholdup_workers_held 1\n") {
            assert!(page.contains("# TYPE holdup_polls_total counter"), "{page}");
            break;
        }
        assert!(Instant::now() < deadline, "{page}");
        pause(Duration::from_millis(20));
    }
    // The countdown is left long before its end.
}
