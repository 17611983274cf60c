//! An app on one worker, with its console, and requests to it that stay open.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use holdup_console::Console;
use holdup_testkit::app::{Served, serve_on};
use holdup_testkit::client::{Reply, connect};
use holdup_testkit::{PATIENCE, pause};
use holdup_watch::Watch;
use tokio::sync::Notify;

/// `/locked` takes a lock and keeps it longer than any test runs, so that all others wait for it. `/blocking` blocks the worker until
/// it is [let go](App::let_go). `/notified` waits until it is [notified](App::notify).
pub(super) struct App {
    served: Option<Served>,
    pub(super) console: String,
    _console: Console,
    go: Arc<AtomicBool>,
    notice: Arc<Notify>,
}

impl App {
    pub(super) fn start() -> Self {
        let watch = Watch::new();
        let console = Console::builder(&watch, "127.0.0.1:0").start();
        let console = console.expect("it starts");
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        let go = Arc::new(AtomicBool::new(false));
        let goes = Arc::clone(&go);
        let notice = Arc::new(Notify::new());
        let notices = Arc::clone(&notice);
        let served = serve_on(1, move || {
            let (lock, goes, notice) = (Arc::clone(&lock), Arc::clone(&goes), Arc::clone(&notices));
            let locked = move || {
                let lock = Arc::clone(&lock);
                async move {
                    let _guard = lock.lock().await;
                    tokio::time::sleep(60 * PATIENCE).await;
                    HttpResponse::Ok().body("done")
                }
            };
            let blocking = move || {
                while !goes.load(Ordering::Relaxed) {
                    pause(Duration::from_millis(5));
                }
                async { HttpResponse::Ok().body("done") }
            };
            let notified = move || {
                let notice = Arc::clone(&notice);
                async move {
                    notice.notified().await;
                    HttpResponse::Ok().body("done")
                }
            };
            actix_web::App::new()
                .wrap(watch.clone())
                .route("/locked", web::get().to(locked))
                .route("/blocking", web::get().to(blocking))
                .route("/notified", web::get().to(notified))
        });
        Self {
            served: Some(served),
            console: console.address().to_string(),
            _console: console,
            go,
            notice,
        }
    }

    /// Sends a request, and reads no answer.
    pub(super) fn ask(&self, path: &str) -> TcpStream {
        let address = self.served.as_ref().expect("it is served").address;
        let mut stream = connect(address);
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    }

    /// Wakes the request that waits for it.
    pub(super) fn notify(&self) {
        self.notice.notify_one();
    }

    /// Lets the worker go on.
    pub(super) fn let_go(&self) {
        self.go.store(true, Ordering::Relaxed);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.let_go();
        self.served.take();
    }
}

/// Waits for the answer.
pub(super) fn answered(stream: TcpStream) {
    let reply = Reply::read(stream).expect("an answer");
    assert_eq!(reply.status, 200);
}

/// The line in this file that has this text, as lines are named.
pub(super) fn line_of(text: &str) -> String {
    let source = include_str!("app.rs");
    let line = source.lines().position(|line| line.contains(text));
    format!("tests/it/ps/app.rs:{}", line.expect("it is here") + 1)
}
