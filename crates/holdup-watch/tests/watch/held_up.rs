//! Who made whom wait, on real servers and in the test harness.

use actix_web::test::{TestRequest, call_service, init_service};
use futures_util::join;
use holdup_watch::testing::assert_not_held_up;
use holdup_watch::{RouteName, Spent, Victim};
use tokio::sync::Notify;

use super::*;

/// The split is known to within two ticks of the clock, and the machine may be busy.
const EXACT: Duration = Duration::from_millis(40);

/// How long a request sleeps so that the test can block its worker meanwhile, even on a busy machine.
const SLEEP: Duration = Duration::from_millis(800);

/// Nobody may be held up by nothing for longer.
const NOTHING: Duration = Duration::from_millis(100);

fn route(pattern: &str) -> RouteName {
    RouteName::new("GET", pattern)
}

/// The next request of this route that ends.
fn ended(events: &mut Subscription, pattern: &str) -> Spent {
    let deadline = Instant::now() + PATIENCE;
    let mut lanes = Vec::new();
    loop {
        match events.try_next() {
            Some(Event::Opened { lane, route, .. }) if route == pattern => lanes.push(lane),
            Some(Event::Ended { lane, spent, .. }) if lanes.contains(&lane) => return spent,
            Some(_) => {}
            None => pause(Duration::from_millis(2)),
        }
        assert!(Instant::now() < deadline, "no request of {pattern} ends");
    }
}

/// How long a request kept its worker in a hold, once that is over.
fn busy(watch: &Watch) -> Duration {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let holds = watch.holds();
        let mut culprits = holds.iter().flat_map(|hold| &hold.culprits);
        if let Some(culprit) = culprits.find(|culprit| culprit.busy >= LONG) {
            return culprit.busy;
        }
        assert!(Instant::now() < deadline, "{holds:?}");
        pause(Duration::from_millis(5));
    }
}

/// The panic message of a failing assertion.
fn failed(assertion: impl FnOnce()) -> String {
    let failed = std::panic::catch_unwind(AssertUnwindSafe(assertion));
    let payload = failed.expect_err("the assertion fails");
    *payload.downcast::<String>().expect("a message")
}

async fn sleeps_long() -> impl Responder {
    rt::time::sleep(SLEEP).await;
    "done"
}

async fn blocks_long() -> impl Responder {
    pause(SLEEP * 2);
    "done"
}

async fn sleeps_a_little() -> impl Responder {
    rt::time::sleep(Duration::from_millis(50)).await;
    "done"
}

/// Handlers that wait in all ways, one of them until the test wakes it, and one that blocks as long as the test wants.
fn waiting_app(watch: &Watch, gate: &Gate, notify: &Arc<Notify>) -> Served {
    let (watch, gate, notify) = (watch.clone(), gate.clone(), Arc::clone(notify));
    serve(move || {
        let notified = Arc::clone(&notify);
        let notified = move || {
            let notified = Arc::clone(&notified);
            async move {
                notified.notified().await;
                "done"
            }
        };
        let body = async || {
            HttpResponse::Ok().streaming(stream! {
                yield Ok::<_, actix_web::Error>(Bytes::from_static(b"first"));
                rt::time::sleep(SLEEP).await;
                yield Ok(Bytes::from_static(b"second"));
            })
        };
        let upload = async |body: String| body;
        App::new()
            .app_data(web::Data::new(gate.clone()))
            .route("/sleeps", web::get().to(sleeps_long))
            .route("/notified", web::get().to(notified))
            .route("/body", web::get().to(body))
            .route("/upload", web::get().to(upload))
            .route("/gate", web::get().to(Gate::pass))
            .wrap(watch.clone())
    })
}

/// Sends a request, and waits until the worker has read it.
fn open(served: &Served, request: &str) -> std::net::TcpStream {
    let mut open = connect(served.address);
    open.write_all(request.as_bytes()).expect("sent");
    // Answered behind it on the same worker.
    assert_eq!(get(served.address, "/none").status, 404);
    open
}

/// Sends a request, and holds its worker until what it waits for has happened. Returns what its time was spent on, and
/// the watch and the server; `None` if the machine was so busy that the hold began too late.
fn held(path: &str, request: &str) -> Option<(Watch, Served, Spent)> {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = waiting_app(&watch, &gate, &Arc::default());
    let mut events = watch.subscribe();
    let closed = gate.lock.lock().expect("nobody panics with it");
    let begun = Instant::now();
    let mut open = open(&served, request);
    let address = served.address;
    let client = thread::spawn(move || get(address, "/gate").status);
    entered.recv().expect("the worker enters");
    let is_in_time = begun.elapsed() <= SLEEP / 2;
    if is_in_time {
        pause(LONG);
        if path == "/upload" {
            open.write_all(b"data").expect("sent");
        }
        // What it waits for happens in the hold.
        pause((SLEEP + LONG).saturating_sub(begun.elapsed()));
    }
    drop(closed);
    assert_eq!(client.join().expect("an answer"), 200);
    is_in_time.then(|| (watch, served, ended(&mut events, path)))
}

#[test]
fn whatever_a_request_waits_for_it_is_held_up_while_its_worker_is_held() {
    let head = " HTTP/1.1\r\nHost: x\r\n";
    for (path, rest) in [
        ("/sleeps", "\r\n"),
        ("/body", "\r\n"),
        ("/upload", "Content-Length: 4\r\n\r\n"),
    ] {
        let deadline = Instant::now() + PATIENCE;
        let (watch, _served, spent) = loop {
            if let Some(held) = held(path, &format!("GET {path}{head}{rest}")) {
                break held;
            }
            assert!(
                Instant::now() < deadline,
                "{path}: the hold begins too late"
            );
        };
        let busy = busy(&watch);
        let by = spent.by.first().expect("it was held up");
        assert_eq!(by.by, Some(route("/gate")), "{path}: {spent:?}");
        assert!(
            by.held_up.abs_diff(busy) <= EXACT,
            "{path}: {spent:?}, {busy:?}"
        );

        let message = failed(|| assert_not_held_up(&watch, &format!("GET {path}"), NOTHING));
        let expected = format!("assert_not_held_up: a request of GET {path} was held up for ");
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.contains(" by GET /gate"), "{message}");
        assert!(
            message.contains("; at most 100 ms is allowed\n"),
            "{message}"
        );
        assert!(message.contains("actix_web::web::block"), "{message}");
        assert_not_held_up(&watch, &format!("GET {path}"), PATIENCE);
        assert_not_held_up(&watch, "GET /gate", NOTHING);
    }
}

/// What a request's time was spent on that another thread wakes: in the middle of a hold, or a while after it. Also
/// returns how long the hold took.
fn woken(in_the_hold: bool) -> (Spent, Duration) {
    let (watch, notify) = (Watch::new(), Arc::default());
    let (gate, entered) = Gate::new();
    let served = waiting_app(&watch, &gate, &notify);
    let mut events = watch.subscribe();
    let closed = gate.lock.lock().expect("nobody panics with it");
    let _open = open(&served, "GET /notified HTTP/1.1\r\nHost: x\r\n\r\n");
    let address = served.address;
    let client = thread::spawn(move || get(address, "/gate").status);
    entered.recv().expect("the worker enters");
    pause(LONG);
    if in_the_hold {
        notify.notify_one();
    }
    pause(LONG);
    drop(closed);
    assert_eq!(client.join().expect("an answer"), 200);
    if !in_the_hold {
        pause(LONG);
        notify.notify_one();
    }
    let spent = ended(&mut events, "/notified");
    (spent, busy(&watch))
}

#[test]
fn what_another_thread_wakes_in_a_hold_is_held_up_from_then_on() {
    let (spent, busy) = woken(true);
    assert!(spent.waiting + EXACT >= LONG, "{spent:?}");
    let by = spent.by.first().expect("it was held up");
    assert_eq!(by.by, Some(route("/gate")), "{spent:?}");
    assert!(by.held_up + EXACT >= LONG, "{spent:?}, {busy:?}");
    assert!(by.held_up + LONG <= busy + EXACT, "{spent:?}, {busy:?}");
}

#[test]
fn what_is_ready_behind_a_hold_that_lasts_is_held_up() {
    let (watch, notify) = (Watch::new(), Arc::default());
    let (gate, entered) = Gate::new();
    let served = waiting_app(&watch, &gate, &notify);
    let closed = gate.lock.lock().expect("nobody panics with it");
    let _open = open(&served, "GET /notified HTTP/1.1\r\nHost: x\r\n\r\n");
    let address = served.address;
    let client = thread::spawn(move || get(address, "/gate").status);
    entered.recv().expect("the worker enters");
    // It waits, and the hold costs it nothing.
    pause(LONG);
    assert_not_held_up(&watch, "GET /notified", NOTHING);
    notify.notify_one();
    let is_held_up = || {
        pause(LONG);
        let asserted = AssertUnwindSafe(|| assert_not_held_up(&watch, "GET /notified", NOTHING));
        let failed = std::panic::catch_unwind(asserted).err()?;
        failed.downcast::<String>().ok()
    };
    // On a busy machine, most of the time in the hold may be the machine's doing.
    let deadline = Instant::now() + PATIENCE;
    let message = loop {
        if let Some(message) = is_held_up() {
            break message;
        }
        assert!(Instant::now() < deadline, "it is held up");
    };
    assert!(
        message.contains("a request of GET /notified that is still open was held up for "),
        "{message}"
    );
    drop(closed);
    assert_eq!(client.join().expect("an answer"), 200);
}

#[test]
fn what_is_not_ready_after_a_hold_was_not_held_up() {
    let (spent, _) = woken(false);
    // On a busy machine, the worker may get no core for a while.
    let by_requests = spent.by.iter().filter(|blame| blame.by.is_some());
    let held_up: Duration = by_requests.map(|blame| blame.held_up).sum();
    assert!(held_up <= EXACT, "{spent:?}");
    assert!(spent.waiting + EXACT >= LONG * 3, "{spent:?}");
}

#[test]
fn each_of_two_nested_watches_says_the_same() {
    let (inner, outer) = (Watch::new(), Watch::new());
    let served = {
        let (inner, outer) = (inner.clone(), outer.clone());
        serve(move || {
            App::new()
                .route("/sleeps", web::get().to(sleeps_long))
                .route("/blocks", web::get().to(blocks_long))
                .wrap(inner.clone())
                .wrap(outer.clone())
        })
    };
    let _open = open(&served, "GET /sleeps HTTP/1.1\r\nHost: x\r\n\r\n");
    get(served.address, "/blocks");
    for watch in [&inner, &outer] {
        let busy = busy(watch);
        let victims = victims(watch, 1);
        let [
            Victim {
                route,
                by,
                requests: 1,
                held_up,
                ..
            },
        ] = &victims[..]
        else {
            panic!("{victims:?}")
        };
        assert_eq!(route.to_string(), "GET /sleeps");
        assert_eq!(
            by.as_ref().map(ToString::to_string).as_deref(),
            Some("GET /blocks")
        );
        assert!(held_up.abs_diff(busy) <= EXACT, "{victims:?}, {busy:?}");
    }
}

/// The victims that lost more to another request than a busy machine explains, once there are so many.
fn victims(watch: &Watch, count: usize) -> Vec<Victim> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut victims = watch.victims();
        victims.retain(|victim| victim.by.is_some() && victim.held_up >= NOTHING);
        if victims.len() >= count || Instant::now() > deadline {
            return victims;
        }
        pause(Duration::from_millis(5));
    }
}

#[test]
fn a_route_is_a_method_and_a_pattern_that_was_asked_for() {
    let watch = Watch::new();
    let (gate, _entered) = Gate::new();
    let served = waiting_app(&watch, &gate, &Arc::default());
    get(served.address, "/sleeps").body();
    for route in ["", "/sleeps", "GET", "GET ", " /sleeps", "GET /a b"] {
        let message = failed(|| assert_not_held_up(&watch, route, NOTHING));
        let expected = format!("the route is {route:?}; allowed: a method and a pattern");
        assert!(message.contains(&expected), "{message}");
    }
    for route in ["GET /body", "POST /sleeps", "GET /none"] {
        let message = failed(|| assert_not_held_up(&watch, route, NOTHING));
        let expected = format!("the watch has seen no request of {route}, ");
        assert!(message.contains(&expected), "{message}");
    }
    // The routes of workers that have ended are known.
    drop(served);
    assert_not_held_up(&watch, "GET /sleeps", LONG);
}

#[actix_web::test]
async fn in_the_harness_a_request_is_held_up_by_those_that_run_beside_it() {
    let watch = Watch::new();
    let app = App::new()
        .route("/sleeps", web::get().to(sleeps_a_little))
        .route("/healthy", web::get().to(healthy))
        .route("/blocks", web::get().to(between_awaits))
        .route("/task", web::get().to(in_a_spawned_task))
        .wrap(watch.clone());
    let app = init_service(app).await;
    let request = |path| TestRequest::with_uri(path).to_request();
    join!(
        call_service(&app, request("/sleeps")),
        call_service(&app, request("/healthy"))
    );
    assert_not_held_up(&watch, "GET /sleeps", NOTHING);
    // The test itself blocks while no request is open.
    block();
    call_service(&app, request("/sleeps")).await;
    assert_not_held_up(&watch, "GET /sleeps", NOTHING);
    join!(
        call_service(&app, request("/sleeps")),
        call_service(&app, request("/blocks"))
    );
    let message = failed(|| assert_not_held_up(&watch, "GET /sleeps", NOTHING));
    assert!(message.contains(" by GET /blocks"), "{message}");
    // Nobody held up the one that blocks.
    assert_not_held_up(&watch, "GET /blocks", NOTHING);

    let watch = Watch::new();
    let app = App::new()
        .route("/sleeps", web::get().to(sleeps_a_little))
        .route("/task", web::get().to(in_a_spawned_task))
        .wrap(watch.clone());
    let app = init_service(app).await;
    join!(
        call_service(&app, request("/sleeps")),
        call_service(&app, request("/task"))
    );
    let message = failed(|| assert_not_held_up(&watch, "GET /sleeps", NOTHING));
    let outside = " by something outside the watched requests";
    assert!(message.contains(outside), "{message}");
    assert!(
        message.contains("is a spawned task, an actor, or the test itself"),
        "{message}"
    );
}
