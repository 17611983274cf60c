//! The assertions, each on a thread of its own, as a test runs it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpServer, Responder, rt, web};
use holdup_watch::Watch;
use holdup_watch::testing::assert_concurrent;

use crate::outcome::{Outcome, Said};

/// The number of requests at once.
const AT_ONCE: usize = 4;

/// The most characters of a message that are kept.
const MESSAGE: usize = 1000;

pub(crate) fn concurrent_awaits() -> Said {
    said(|| concurrent(awaits::<100>))
}

pub(crate) fn concurrent_blocks() -> Said {
    said(|| concurrent(blocks))
}

pub(crate) fn no_holds_awaits() -> Said {
    said(|| no_holds(awaits::<100>))
}

pub(crate) fn no_holds_on_a_server() -> Said {
    said(|| on_a_server(awaits::<20>))
}

pub(crate) fn no_holds_blocks() -> Said {
    said(|| no_holds(blocks))
}

pub(crate) fn no_holds_blocks_in_a_task() -> Said {
    said(|| no_holds(awaits_what_blocks))
}

/// What the assertion says: it panics, or not.
fn said(assertion: fn()) -> Said {
    let Err(failed) = thread::spawn(assertion).join() else {
        return (Outcome::Passed, String::new());
    };
    let message = failed.downcast::<String>();
    let message = message.map_or_else(|_| "no message".to_owned(), |message| *message);
    let outcome = if message.contains("actual: inconclusive") {
        Outcome::Undecided
    } else {
        Outcome::Failed
    };
    (outcome, message.chars().take(MESSAGE).collect())
}

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

fn on_a_server<F, R>(handler: fn() -> F)
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
