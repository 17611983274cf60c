//! Where open requests wait, as the console's documents tell it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};
use holdup_testkit::app::{Served, serve};
use holdup_testkit::console::{asked, surveyed};
use holdup_testkit::pause;
use holdup_watch::Watch;
use tokio::sync::{Mutex, Semaphore};

use super::*;

/// What the handlers share. They go on when `go_on` is closed.
pub(crate) struct Shared {
    lock: Mutex<()>,
    pub(crate) go_on: Semaphore,
    /// The worker of `/hold` is free again when this is closed.
    pub(crate) let_go: Semaphore,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: Mutex::new(()),
            go_on: Semaphore::new(0),
            let_go: Semaphore::new(0),
        })
    }
}

/// Keeps a lock over an `.await`.
async fn report(shared: &Shared) {
    let _kept = shared.lock.lock().await; // the lock
    shared.go_on.acquire().await.ok(); // the holder
}

/// An app whose `/report` keeps a lock while it waits, whose `/other` waits elsewhere, and whose `/hold` blocks its
/// worker until `let_go` is closed.
pub(crate) fn locks(watch: &Watch, shared: &Arc<Shared>) -> Served {
    let (watch, shared) = (watch.clone(), Arc::clone(shared));
    serve(move || {
        let handler = async |shared: Data<Shared>| {
            report(&shared).await;
            HttpResponse::Ok().finish()
        };
        let other = async |shared: Data<Shared>| {
            shared.go_on.acquire().await.ok();
            HttpResponse::Ok().finish()
        };
        let hold = async |shared: Data<Shared>| {
            let deadline = Instant::now() + PATIENCE;
            while !shared.let_go.is_closed() && Instant::now() < deadline {
                pause(Duration::from_millis(10));
            }
            HttpResponse::Ok().finish()
        };
        App::new()
            .app_data(Data::from(Arc::clone(&shared)))
            .route("/report/{name:<b>|[0-9]+}", web::get().to(handler))
            .route("/other", web::get().to(other))
            .route("/hold", web::get().to(hold))
            .wrap(watch.clone())
    })
}

/// The place of the line of this file with this comment: `console::waits::report (…/waits.rs:LINE)`.
pub(crate) fn line_of(comment: &str) -> String {
    let mut source = include_str!("waits.rs").lines();
    let line = source.position(|line| line.ends_with(&format!("; // {comment}")));
    let line = line.expect("it is there") + 1;
    format!("console::waits::report (tests/console/waits.rs:{line})")
}

/// Whether this is the function of that name, whatever its module.
fn is_in(function: &Value, name: &str) -> bool {
    function
        .as_str()
        .is_some_and(|function| function.ends_with(&format!("::{name}")))
}

pub(crate) const ROUTE: &str = "GET /report/{name:<b>|[0-9]+}";

/// Requests the report so many times, each on a thread.
pub(crate) fn ask(address: SocketAddr, times: usize) -> Vec<JoinHandle<u16>> {
    let ask = |n| ask_for(address, format!("/report/{n}"));
    (0..times).map(ask).collect()
}

/// Requests this path on a thread, which returns the status.
pub(crate) fn ask_for(address: SocketAddr, path: String) -> JoinHandle<u16> {
    thread::spawn(move || get(address, &path).status)
}

/// Lets the requests of `/report` go on, but their worker is free for them only after more than a second.
pub(crate) fn go_on_late(shared: &Shared) {
    shared.go_on.close();
    pause(Duration::from_millis(1500));
    shared.let_go.close();
}

/// Asks for a document until it is as `wanted`.
fn until(console: SocketAddr, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let document = surveyed(console, path);
        if wanted(&document) {
            return document;
        }
        assert!(Instant::now() < deadline, "{path}: {document:#}");
    }
}

/// Asks where requests wait until so many wait at each place, and all lines are known.
fn until_known(console: SocketAddr, counts: &[usize]) -> Value {
    until(console, "/waits", |document| {
        let waits = document["waits"].as_array().expect("a list");
        let found = waits.iter().map(|wait| &wait["requests"]);
        found.eq(counts) && waits.iter().all(|wait| wait["line"].is_string())
    })
}

#[test]
fn the_lock_and_who_has_it_are_told_while_all_of_them_wait() {
    let (watch, shared) = (Watch::new(), Shared::new());
    let served = locks(&watch, &shared);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    let address = console.address();
    let clients = ask(served.address, 4);
    let waits = until_known(address, &[3, 1]);
    let [lock, holder] = [&waits["waits"][0], &waits["waits"][1]];
    assert_eq!(lock["line"], line_of("the lock"));
    assert!(is_in(&lock["in"], "Mutex::lock"), "{lock}");
    assert_eq!(lock["route"], ROUTE);
    assert_eq!(lock["numbers"].as_array().map(Vec::len), Some(3));
    let stack = lock["point"]["stack"].as_array().expect("a stack");
    assert!(
        stack.iter().any(|frame| frame == &lock["line"]),
        "{stack:?}"
    );
    assert_eq!(holder["line"], line_of("the holder"));
    assert!(is_in(&holder["in"], "Semaphore::acquire"), "{holder}");

    let requests = surveyed(address, "/requests");
    let all = requests["requests"].as_array().expect("a list");
    assert_eq!((all.len(), &requests["more"]), (4, &0.into()));
    let age = |request: &Value| request["age_ms"].as_f64().expect("a number");
    assert!(
        all.is_sorted_by(|one, next| age(one) >= age(next)),
        "{all:?}"
    );
    // The one that came first has the lock, and the others have the numbers of those that wait for it.
    assert_eq!(all[0]["number"], holder["numbers"][0]);
    assert!(all.iter().all(|request| request["state"] == "waiting"));
    assert!(is_in(&all[3]["at"][0]["in"], "Mutex::lock"), "{requests}");

    // Only some of them.
    let two = surveyed(address, "/requests?most=2");
    assert_eq!(
        (&two["requests"][1]["number"], &two["more"]),
        (&all[1]["number"], &2.into())
    );
    for path in [
        "/requests?min_age_ms=86400000",
        "/waits?min_age_ms=86400000",
    ] {
        let none = surveyed(address, path);
        let empty = none.get("requests").or(none.get("waits")).expect("a list");
        assert_eq!((empty, &none["more"]), (&serde_json::json!([]), &0.into()));
    }
    shared.go_on.close();
    for client in clients {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    let ended = until(address, "/waits", |document| {
        document["waits"] == serde_json::json!([])
    });
    assert_eq!(ended["why_no_lines"], Value::Null);
}

#[test]
fn a_query_that_cannot_be_used_is_refused() {
    let watch = Watch::new();
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    let of = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost");
        asked(console.address(), &request)
    };
    assert_eq!(of("/requests?most=1&min_age_ms=0").0, 200);
    for (path, told) in [
        (
            "/requests?most=0",
            "most is \"0\"; allowed: a whole number from 1 to 10000",
        ),
        (
            "/waits?min_age_ms=-1",
            "min_age_ms is \"-1\"; allowed: a whole number from 0 to 86400000",
        ),
        (
            "/waits?most=1",
            "most is \"1\"; allowed: only the parameter min_age_ms",
        ),
    ] {
        assert_eq!(of(path), (400, told.to_owned()), "{path}");
    }
}

#[test]
fn a_held_worker_delays_no_answer_of_the_console() {
    let (watch, shared) = (Watch::new(), Shared::new());
    let served = locks(&watch, &shared);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    let address = console.address();
    // Somebody looks, so that there are surveys all the time.
    let mut events = Events::read(address);
    let waiting = ask(served.address, 2);
    until_known(address, &[1, 1]);
    let held = ask_for(served.address, "/hold".to_owned());
    events.until("the worker is held", |m| is(m, "held"));
    let mut took: Vec<_> = (0..40)
        .map(|_| {
            let asked = Instant::now();
            state(address);
            pause(Duration::from_millis(20));
            asked.elapsed().saturating_sub(Duration::from_millis(20))
        })
        .collect();
    let requests = surveyed(address, "/requests");
    let all = requests["requests"].as_array().expect("a list");
    let [one, two, blocking] = all.as_slice() else {
        panic!("{requests:#}");
    };
    assert_eq!(
        (&blocking["state"], &blocking["behind"]),
        (&"running".into(), &Value::Null)
    );
    for request in [one, two] {
        assert_eq!(request["behind"], "GET /hold", "{request}");
        assert_eq!(request["state"], "waiting", "{request}");
        // They waited before, so it is known where.
        assert!(request["at"][0]["in"].is_string(), "{request}");
    }
    assert!(!held.is_finished(), "all of this was asked while it lasted");
    took.sort_unstable();
    // The limit is wider than the 50 ms of an idle machine.
    assert!(took[30] < Duration::from_millis(500), "{took:?}");

    shared.let_go.close();
    assert_eq!(held.join().expect("an answer"), 200);
    shared.go_on.close();
    for client in waiting {
        assert_eq!(client.join().expect("an answer"), 200);
    }
}

#[test]
fn who_lost_time_to_whom_is_counted_and_told() {
    let (watch, shared) = (Watch::new(), Shared::new());
    let served = locks(&watch, &shared);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    let address = console.address();
    let mut events = Events::read(address);
    let reports = ask(served.address, 2);
    until_known(address, &[1, 1]);
    let held = ask_for(served.address, "/hold".to_owned());
    events.until("the worker is held", |m| is(m, "held"));
    // The one that has the lock is ready at once, but its worker is not.
    go_on_late(&shared);
    let ended = events.until("a report has ended", |m| {
        is(m, "ended") && m["held_up_by"][0]["by"] == "GET /hold"
    });
    let lost = ended["held_up_ms"].as_f64().expect("a number");
    assert!(lost > 1000.0, "{ended}");
    assert_eq!(held.join().expect("an answer"), 200);
    for client in reports {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    let doing = events.until("the page is told", |m| {
        is(m, "doing") && m["held_up"][0]["by"] == "GET /hold"
    });
    assert_eq!(doing["held_up"][0]["route"], ROUTE);
    let counter = format!("holdup_held_up_seconds_total{{route=\"{ROUTE}\",by=\"GET /hold\"}} ");
    let deadline = Instant::now() + PATIENCE;
    let seconds = loop {
        let metrics = get(address, "/metrics").rest();
        if let Some(line) = metrics.lines().find_map(|line| line.strip_prefix(&counter)) {
            break line.to_owned();
        }
        assert!(Instant::now() < deadline, "{counter} {metrics}");
        pause(Duration::from_millis(100));
    };
    // Of a later moment, so that it is no less.
    let told = until(address, "/waits", |document| {
        document["held_up"][0]["requests"].is_u64()
    });
    let pair = &told["held_up"][0];
    assert_eq!(
        (&pair["route"], &pair["by"]),
        (&ROUTE.into(), &"GET /hold".into())
    );
    let total = pair["held_up_ms"].as_f64().expect("a number") / 1e3;
    let seconds: f64 = seconds.parse().expect("a number");
    assert!(seconds >= 1.0 && seconds <= total, "{seconds} of {total}");
}

#[test]
fn nobody_is_woken_while_nobody_looks() {
    let (watch, shared) = (Watch::new(), Shared::new());
    let served = locks(&watch, &shared);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0");
    let console = console.start().expect("a console");
    let clients = ask(served.address, 2);
    let deadline = Instant::now() + PATIENCE;
    while watch.workers().iter().map(|load| load.open).sum::<usize>() < 2 {
        assert!(Instant::now() < deadline);
        pause(Duration::from_millis(5));
    }
    pause(Duration::from_millis(300));
    let before = watch.polls();
    pause(Duration::from_millis(1500));
    assert_eq!(watch.polls(), before, "no request was polled");
    let mut events = Events::read(console.address());
    events.until("a reader is told", |m| {
        is(m, "doing") && m["waits"].as_array().map(Vec::len) == Some(2)
    });
    assert!(watch.polls() > before, "they were asked");
    shared.go_on.close();
    for client in clients {
        assert_eq!(client.join().expect("an answer"), 200);
    }
}
