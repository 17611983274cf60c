//! How often the assertions are wrong. On a busy machine they must not fail for a healthy handler,
//! and on a quiet machine they must fail for a handler that blocks.
//!
//! ```console
//! cargo bench --bench false_alarms -- [RUNS] [BUSY] [WHICH]
//! ```
//!
//! `BUSY` processes compute during the runs of healthy handlers. `WHICH` selects the assertions
//! whose names contain it.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpServer, Responder, rt, web};
use holdup_watch::Watch;
use holdup_watch::testing::assert_concurrent;

/// The number of requests at once.
const AT_ONCE: usize = 4;

/// An assertion about a handler.
struct Case {
    name: &'static str,
    /// Whether the assertion must fail.
    blocks: bool,
    run: fn(),
}

const CASES: [Case; 7] = [
    Case {
        name: "assert_no_holds, 20 ms awaited",
        blocks: false,
        run: || no_holds(awaits::<20>),
    },
    Case {
        name: "assert_no_holds, 100 ms awaited",
        blocks: false,
        run: || no_holds(awaits::<100>),
    },
    Case {
        name: "assert_no_holds, 20 ms awaited, on a server",
        blocks: false,
        run: || no_holds_on_a_server(awaits::<20>),
    },
    Case {
        name: "assert_concurrent, 100 ms awaited",
        blocks: false,
        run: || concurrent(awaits::<100>),
    },
    Case {
        name: "assert_no_holds, 150 ms blocked",
        blocks: true,
        run: || no_holds(blocks),
    },
    Case {
        name: "assert_no_holds, 150 ms blocked by a task",
        blocks: true,
        run: || no_holds(awaits_what_blocks),
    },
    Case {
        name: "assert_concurrent, 150 ms blocked",
        blocks: true,
        run: || concurrent(blocks),
    },
];

async fn awaits<const MS: u64>() -> impl Responder {
    rt::time::sleep(Duration::from_millis(MS)).await;
    "done"
}

#[expect(clippy::disallowed_methods, reason = "blocking is what is tested")]
async fn blocks() -> impl Responder {
    thread::sleep(Duration::from_millis(150));
    "done"
}

async fn awaits_what_blocks() -> impl Responder {
    rt::spawn(async { drop(blocks().await) }).await.ok();
    "done"
}

fn no_holds<F, R>(handler: fn() -> F)
where
    F: Future<Output = R> + 'static,
    R: Responder + 'static,
{
    rt::System::new().block_on(async move {
        let watch = Watch::new();
        let app = App::new().route("/", web::get().to(handler));
        let app = init_service(app.wrap(watch.clone())).await;
        call_service(&app, TestRequest::get().to_request()).await;
        watch.assert_no_holds();
    });
}

fn no_holds_on_a_server<F, R>(handler: fn() -> F)
where
    F: Future<Output = R> + 'static,
    R: Responder + 'static,
{
    let watch = Watch::new();
    let (tell, told) = mpsc::channel();
    let server = {
        let watch = watch.clone();
        thread::spawn(move || {
            rt::System::new().block_on(async move {
                let app = move || {
                    let app = App::new().route("/", web::get().to(handler));
                    app.wrap(watch.clone())
                };
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.bind("127.0.0.1:0").expect("a free port");
                let address = server.addrs()[0];
                let server = server.run();
                tell.send((address, server.handle())).expect("it waits");
                server.await.expect("the server runs");
            });
        })
    };
    let (address, handle) = told.recv().expect("the server starts");
    let mut connection = TcpStream::connect(address).expect("the server accepts");
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    connection.write_all(request).expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("done"), "{answer}");
    let asserted = catch_unwind(AssertUnwindSafe(|| watch.assert_no_holds()));
    drop(handle.stop(false));
    server.join().expect("the server ends");
    if let Err(failed) = asserted {
        std::panic::resume_unwind(failed);
    }
}

fn concurrent<F, R>(handler: fn() -> F)
where
    F: Future<Output = R> + 'static,
    R: Responder + 'static,
{
    rt::System::new().block_on(async move {
        let app = init_service(App::new().route("/", web::get().to(handler))).await;
        let request = |x| TestRequest::with_uri(&format!("/?x={x}")).to_request();
        assert_concurrent(&app, request, AT_ONCE).await;
    });
}

/// Processes that compute until they are dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn start(count: usize) -> io::Result<Self> {
        let start = |_| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "while :; do :; done"]).spawn()
        };
        let mut busy = Self(Vec::new());
        for child in (0..count).map(start) {
            busy.0.push(child?);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Runs the assertion on a separate thread, as a test would. Returns the panic message if it fails.
fn failure(case: &Case) -> Option<String> {
    let thread = thread::spawn(case.run);
    let failed = thread.join().err()?;
    let message = failed.downcast::<String>();
    Some(message.map_or_else(|_| "no message".to_owned(), |message| *message))
}

fn number(text: Option<&String>, default: usize) -> io::Result<usize> {
    let Some(text) = text else {
        return Ok(default);
    };
    text.parse()
        .map_err(|_| io::Error::other(format!("{text:?} is not a whole number")))
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let runs = number(arguments.first(), 1000)?;
    let busy = number(arguments.get(1), 8)?;
    let which = arguments.get(2).map_or("", String::as_str);
    // Failures are counted here and printed below, so the panic hook stays silent.
    std::panic::set_hook(Box::new(|_| {}));

    let mut wrong = 0;
    for case in CASES.iter().filter(|case| case.name.contains(which)) {
        let busy = if case.blocks { 0 } else { busy };
        let _busy = Busy::start(busy)?;
        let begun = Instant::now();
        let failures: Vec<_> = (0..runs).filter_map(|_| failure(case)).collect();
        let expected = if case.blocks { runs } else { 0 };
        println!(
            "{}: {} of {runs} failed, {expected} expected; {busy} busy processes, {:.0} s",
            case.name,
            failures.len(),
            begun.elapsed().as_secs_f64(),
        );
        if !case.blocks {
            tell(&failures);
        }
        wrong += failures.len().abs_diff(expected);
    }
    println!("{wrong} wrong answers");
    Ok(())
}

/// Groups the failures by their message without its numbers.
fn tell(failures: &[String]) {
    let mut kinds = BTreeMap::<String, (usize, &str)>::new();
    for failure in failures {
        let line = failure.lines().find(|line| {
            line.starts_with("  something") || line.starts_with("  GET") || line.contains("actual:")
        });
        let line = line.unwrap_or(failure);
        let kind = line.chars().filter(|c| !c.is_ascii_digit()).collect();
        kinds.entry(kind).or_insert((0, failure)).0 += 1;
    }
    for (times, first) in kinds.into_values() {
        println!(
            "  {times} ×, such as:\n    {}",
            first.replace('\n', "\n    ")
        );
    }
}
