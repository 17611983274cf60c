//! Which route holds which worker, for how long, right now; and a test that fails when a handler
//! blocks.
//!
//! # In an app
//!
//! Wrap the app once, outermost. Clones share what they see, so the same watch serves all workers:
//!
//! ```no_run
//! # use actix_web::{App, HttpServer, web};
//! # async fn report() -> &'static str { "" }
//! # #[actix_web::main] async fn main() -> std::io::Result<()> {
//! let watch = holdup_watch::Watch::new();
//! HttpServer::new({
//!     let watch = watch.clone();
//!     move || App::new().route("/report", web::get().to(report)).wrap(watch.clone())
//! })
//! .bind("127.0.0.1:8080")?
//! .run()
//! .await
//! # }
//! ```
//!
//! When a worker has been held for 100 ms, a thread outside logs it, and once more when it is over: as
//! `tracing` warnings with the target `holdup`. While it lasts it is logged again after 1, 10 and 60
//! seconds and then every minute:
//!
//! ```text
//! WARN holdup: GET /report (future, 1 poll, 112 ms) holds worker 2 for 112 ms so far, 4 other requests open
//! WARN holdup: GET /report (future, 1 poll, 3.40 s) held worker 2 for 3.40 s (3.39 s of it computing), 4 other requests open
//! ```
//!
//! Of one route three holds are logged at once and then one a second. The others are counted: `…and 31 more
//! holds by GET /report in the last 10 s`. [`Watch::log_level`] changes the level or turns the log off, and
//! [`Watch::allow`] leaves out a route that may take longer.
//!
//! Your code gets the same from [`Watch::held_now`] while it lasts, from [`Watch::holds`] when it is over,
//! from [`Watch::on_hold`] by a callback, and from [`Watch::subscribe`] event by event. On Linux the first
//! line also has what the thread is doing ([`Activity`]), such as `sleeping`.
//!
//! # In a test
//!
//! ```should_panic
//! # use actix_web::{App, test, web};
//! # async fn report() -> &'static str {
//! #     std::thread::sleep(std::time::Duration::from_millis(150)); "done"
//! # }
//! #[actix_web::test]
//! # async fn hidden() {}
//! # fn main() { actix_web::rt::System::new().block_on(the_report_does_not_block()) }
//! async fn the_report_does_not_block() {
//!     let watch = holdup_watch::Watch::new();
//!     let app = App::new().route("/report", web::get().to(report)).wrap(watch.clone());
//!     let app = test::init_service(app).await;
//!     test::call_service(&app, test::TestRequest::get().uri("/report").to_request()).await;
//!     watch.assert_no_holds(); // panics: GET /report (future, 1 poll, 150 ms) holds worker 0 …
//! }
//! ```
//!
//! The assertion also fails when the watch saw nothing at all, so a test that forgot to wrap the
//! app does not pass. The test has to be an `#[actix_web::test]`: the watch spawns tasks on the
//! worker, as actix's own services do, and under `#[tokio::test]` that panics.
//!
//! # How to read a warning
//!
//! A **hold** is a period in which a worker never got back to its other work. Five polls of one
//! second back to back are one hold of five seconds, and ten requests that burn 15 ms each in one
//! turn of the loop are one hold of 150 ms with ten culprits.
//!
//! - The *part* says where to look: `call` is the synchronous part of a middleware, `future` the
//!   handler with its extractors (or an inner middleware's future), `body` a response stream.
//! - *Computing* close to the hold's length: a long computation; move it to
//!   [`web::block`](actix_web::web::block). Close to nothing: something blocking was waited for, a
//!   file, a lock, a sleep, a query; use its async equivalent, or `web::block`.
//! - *Not scheduled*: the machine was busy with other processes. No handler's fault.
//! - "Something outside the watched requests": a task that was spawned on the worker, or a
//!   middleware outside the watch. Nobody is blamed by guess.
//! - "*Its loop turned 27 times without looking at its sockets for 2.41 s*": no poll was long, but
//!   no request was read and no timer fired in that time, so everybody else waited
//!   ([`HoldKind::Starved`]). tokio's loop looks at its sockets when nothing is ready to run, and
//!   otherwise once in 61 polls. A handler that wakes itself after each piece of its work is always
//!   ready, as an upload is whose chunks are written to something slow while more of it has
//!   come already. The cure is the same: `web::block`, or the async equivalent.
//!   [`tokio::task::yield_now`] between the pieces helps too, as it waits for the next look at the
//!   sockets.
//!
//! # Which line
//!
//! With the feature `stacks` a hold also names the line of your code that it is at, and what that called
//! ([`Hold::lines`], [`Hold::stack`]); [`Watch::assert_no_holds`] shows the whole stack:
//!
//! ```text
//! … holds worker 2 for 112 ms so far, sleeping, at app::render (src/main.rs:4), in std::thread::sleep
//! ```
//!
//! The line tables are read when a stack is first needed. The warning of that hold does not wait for it,
//! and the line follows in a second one: `worker 2, held by GET /report, is at app::render (…)`.
//!
//! A hold may be in a library that the app mounts, such as `actix_files` on a slow disk. Then the
//! library's function is named ([`Line::library`]), and the route shows where it is mounted.
//!
//! A worker that waits for a lock may wait for another worker. When just one other held worker is further
//! on in the very function that takes the lock, the warning adds: `the lock is perhaps held by GET /report
//! on worker 1, at app::count (src/main.rs:14)`. It is a guess: the function may take one of many locks,
//! or have let go of it.
//!
//! *What it needs.* Linux with glibc, on `x86_64` or `aarch64`, with libgcc 12 or later (Debian 12, Ubuntu 22.04,
//! Fedora 36). Line tables, by `debug = "line-tables-only"` in the profile: without them only functions
//! are named, and in a stripped program nothing is. When it starts it logs `lines: on`, or why it
//! is off. With line tables alone, what was inlined has only its short name, without its type: `app::cart::clone`
//! for `app::cart::Cart::clone`, and where nothing on the stack knows its module either, `clone`. An
//! inlined `async fn` has none; mostly what calls it knows it, and else a handler is `the handler of GET
//! /report`. `debug = "limited"` keeps all names. A function whose last act is a call may not be on the stack in
//! an optimized build: then its caller is named.
//!
//! *What it costs.* While nothing is held, nothing. While a worker is held, its thread is interrupted by
//! a signal, `SIGURG`, up to ten times in the first second and ever more rarely after, at most a
//! hundred times and once a minute, and loses less than a millisecond each time. Each worker's thread
//! has 64 KiB of address space more, for the signal's handler. Reading the line tables takes a thread
//! outside a tenth of a second at the first hold (half a second in a debug build), and memory: at most
//! 70 MB in a small app. Ten seconds after they were last needed they are let go, and a third to a half
//! of that at once with them; the rest the allocator keeps for other use. A worker that makes a
//! `backtrace::Backtrace` of its own while they are read waits for that.
//!
//! *What can go wrong.*
//! - A system call that is never restarted after a signal, such as `poll`, `epoll_wait` or `nanosleep`
//!   (`signal(7)` lists them), returns `EINTR`. The standard library and tokio repeat it; a C library may
//!   take it for an error.
//! - Stacks are walked by the compilers' tables, with libgcc's unwinder. In hand-written assembly they may
//!   be wrong. A walk ends where they lead off the thread's stack or back to where it was, and after 192
//!   frames. But the unwinder reads one address from where they lead before that can be looked at: when
//!   nothing is mapped there, it ends the program.
//! - A worker whose own stack is nearly full is walked all the same: the handler has a stack of its own, by
//!   `sigaltstack(2)`, in place of the 8 KiB that Rust gives a thread. A thread that has been given a
//!   smaller one since is not walked, and neither is one that runs on a stack which is not its own, as
//!   the `stacker` crate makes them.
//! - Where another library than libgcc walks stacks, it may take a lock for it: then it is off.
//! - Code that registers such tables at run time, as JIT compilers do, takes a lock that the walk may
//!   then have to wait for: turn it off in such a program.
//! - A handler for `SIGURG` that is there first is respected, and so is one that comes later: it is off
//!   then.
//!
//! *How to turn it off* for one process: `HOLDUP_STACKS=0` in its environment.
//!
//! # What it cannot see
//!
//! - Without that feature, which line it was; only the route and the part.
//! - Requests that the held worker had no chance to read. They wait too, and are in no count.
//! - Work in a spawned task is known to hold the worker, but not whose work it is.
//! - A request that waits for a lock or a connection *without* blocking its worker. That is not a
//!   hold; everybody else goes on.
//! - A worker that does not look at its sockets while its loop turns, on systems other than Unix; and up
//!   to 25 ms of each such time, before the watch asks. In the actix test harness the test's own
//!   future drives the app and the sockets are looked at after each of its polls, so such a
//!   handler shows on a real server only.
//! - The route of a path that a middleware within the watch rewrites, as `NormalizePath` does: it is
//!   `unmatched`. Wrap such a middleware outside of the watch, so after it in the source.
//! - After an upgrade (`101 Switching Protocols`), only what goes through the response body.
//!
//! # What it costs
//!
//! Two looks at the clock for each poll, and four wake-ups in a threshold, forty a second, for the
//! thread and for each worker. A worker that is at work at such a time is also sent a byte, through a
//! pair of sockets that it has for that: three file descriptors. A worker never waits for a lock and
//! writes no log lines. It allocates once for a streamed body, and for a path that it has not met
//! lately.
//!
//! A watch has up to five threads: one looks at the workers, and one each writes the log, updates the
//! figures of the `metrics` crate, calls [`on_hold`](Watch::on_hold), and looks up names of functions (with
//! the feature `stacks`). A log that blocks or panics so delays or loses its own lines and nothing else.
//! [`Watch::health`] shows how the threads are. Where the system has no room for them, the app is served all
//! the same, and one warning is logged.
//!
//! For a handler that does nothing, which is the worst case, `cargo bench --bench cost` measured 4 %
//! less throughput: two tenths of a microsecond a request.

#![forbid(unsafe_code)]

mod body;
mod future;
mod route;
mod service;
pub mod testing;
mod watch;

pub use self::body::WatchedBody;
pub use self::future::WatchedFuture;
pub use self::service::WatchedService;
pub use self::watch::Watch;
pub use holdup_detect::{Figures, LogLevel, Subscription, THRESHOLD, ThreadHealth, ThreadState};
pub use holdup_model::{Activity, Culprit, Event, Hold, HoldKind, Line, Part, WorkerStatus};
