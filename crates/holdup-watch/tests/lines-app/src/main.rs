//! Blocks its worker in every way, or in those that its arguments name, each in a handler, an
//! extractor and a body, and prints the hold that was published for each: a line of JSON with the form,
//! the place, the hold as published while it lasted, and the finished hold. Run by `tests/lines.rs`, which finds the right
//! lines by their marks.
//!
//! An argument such as `/export` is a route of its own, of `named`.
//!
//! Before the others, `two` starts two workers, and asks for such a route twice at once. `warm` has the line tables
//! read before the first form. `urgent` takes the signal that stacks are taken with before the watch does, and
//! `urgent-late` among the others does it then.

mod forms;
mod named;

use std::future::{Ready, ready};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use actix_files::Files;
use actix_web::dev::Payload;
use actix_web::middleware::from_fn;
use actix_web::rt::System;
use actix_web::rt::signal::unix::{SignalKind, signal};
use actix_web::web::{self, Bytes, Path};
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, HttpServer};
use futures_util::stream;
use holdup_watch::Watch;
use holdup_watch::{Event, Hold, Subscription};

async fn in_the_handler(form: Path<String>) -> String {
    forms::run(&form); // the handler
    form.into_inner()
}

struct Blocking;

impl FromRequest for Blocking {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        forms::run(&request.match_info()["form"]); // the extractor
        ready(Ok(Self))
    }
}

async fn in_an_extractor(_: Blocking) -> &'static str {
    "done"
}

async fn in_the_body(form: Path<String>) -> HttpResponse {
    let chunk = async move {
        forms::run(&form); // the body
        Ok::<_, actix_web::Error>(Bytes::from_static(b"done"))
    };
    HttpResponse::Ok().streaming(stream::once(Box::pin(chunk)))
}

fn serve(watch: Watch, workers: usize) -> SocketAddr {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        System::new().block_on(async move {
            let app = move || {
                App::new()
                    .route("/handler/{form}", web::get().to(in_the_handler))
                    .route("/extractor/{form}", web::get().to(in_an_extractor))
                    .route("/body/{form}", web::get().to(in_the_body))
                    .route("/export", web::get().to(named::export))
                    .route("/long", web::get().to(named::long))
                    .route("/copy", web::get().to(named::copy))
                    .route("/derived", web::get().to(named::derived))
                    .route("/shared", web::get().to(named::shared))
                    .service(
                        web::resource("/log-in")
                            .wrap(from_fn(named::log_in))
                            .get(async || "done"),
                    )
                    .service(Files::new("/files", named::folder()))
                    .wrap(watch.clone())
            };
            let server = HttpServer::new(app).workers(workers).disable_signals();
            let server = server.bind("127.0.0.1:0").expect("a free port");
            tell.send(server.addrs()[0]).expect("main waits for it");
            server.run().await.expect("it runs");
        });
    });
    told.recv().expect("the server starts")
}

fn get(address: SocketAddr, path: &str) {
    let mut connection = TcpStream::connect(address).expect("it listens");
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
}

/// The next hold of that route, as published while it lasts and when it is over. A busy machine
/// causes further holds, which have no culprits.
fn told(events: &mut Subscription, route: &str) -> (Hold, Hold) {
    let mut held: Vec<Hold> = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        match events.try_next() {
            Some(Event::Held(hold)) => held.push(hold),
            Some(Event::Released(hold)) => {
                let culprit = hold.culprits.first();
                let held = held.iter().find(|held| held.started == hold.started);
                if let Some(held) = held
                    && culprit.is_some_and(|culprit| culprit.route == route)
                {
                    return (held.clone(), hold);
                }
            }
            Some(_) => {}
            None => thread::sleep(Duration::from_millis(2)),
        }
    }
    panic!("no hold of {route} is told");
}

fn tell(form: &str, place: &str, held: &Hold, hold: &Hold) {
    let sentence = hold.to_string();
    let line = serde_json::json!({
        "form": form, "place": place, "held": held, "hold": hold, "sentence": sentence,
    });
    println!("{line}");
}

/// Blocks until a hold has lines. The line tables are read at the first hold, and on a busy machine that takes longer
/// than a hold waits for its names.
fn warm_up(address: SocketAddr, events: &mut Subscription) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        get(address, "/export");
        let (_, hold) = told(events, "/export");
        if !hold.lines.is_empty() {
            return;
        }
    }
    panic!("no hold has lines");
}

/// Installs a handler for SIGURG, as an app may.
fn take_the_signal() {
    const URGENT: i32 = 23;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        System::new().block_on(async move {
            let mut signals = signal(SignalKind::from_raw(URGENT)).expect("a handler");
            tell.send(()).expect("it is waited for");
            while signals.recv().await.is_some() {}
        });
    });
    told.recv().expect("the thread installs it");
}

fn main() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let mut forms: Vec<_> = std::env::args().skip(1).collect();
    let (mut workers, mut is_warm) = (1, false);
    while let Some(option) = forms.first() {
        match option.as_str() {
            "urgent" => take_the_signal(),
            "two" => workers = 2,
            "warm" => is_warm = true,
            _ => break,
        }
        forms.remove(0);
    }
    if forms.is_empty() {
        forms = forms::FORMS.map(str::to_owned).to_vec();
    }
    let watch = Watch::new();
    let mut events = watch.subscribe();
    let address = serve(watch, workers);
    if is_warm {
        warm_up(address, &mut events);
    }
    for form in forms {
        if form == "urgent-late" {
            take_the_signal();
            continue;
        }
        if form.starts_with('/') {
            let opens = form.starts_with("/files/").then(named::open_later);
            let gets = |_| {
                let path = form.clone();
                thread::spawn(move || get(address, &path))
            };
            let at_once: Vec<_> = (0..workers).map(gets).collect();
            at_once
                .into_iter()
                .chain(opens)
                .for_each(|thread| thread.join().expect("it ends"));
            let route = form.strip_suffix("/slow").unwrap_or(&form);
            let (held, hold) = told(&mut events, route);
            tell(&form, "route", &held, &hold);
            continue;
        }
        for place in ["handler", "extractor", "body"] {
            get(address, &format!("/{place}/{form}"));
            let (held, hold) = told(&mut events, &format!("/{place}/{{form}}"));
            tell(&form, place, &held, &hold);
        }
    }
    named::remove_folder();
}
