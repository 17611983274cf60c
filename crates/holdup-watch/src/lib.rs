//! Which route blocks which worker, and for how long? And where do requests wait that block nobody? Middleware for
//! an actix-web app that logs what blocks while it happens and lists the open requests, and assertions that fail a
//! test when handlers block or wait for each other.
//!
//! # In an app
//!
//! Wrap the app once, outermost. Clones share what they observe, so one watch serves all workers:
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
//! When a worker has been blocked for 100 ms, a thread outside of the workers logs a warning, a `tracing`
//! event with the target `holdup`. It logs the hold again after 1, 10 and 60 seconds and then every minute,
//! and once more when the hold is over:
//!
//! ```text
//! WARN holdup: GET /report (future, 1 poll, 112 ms) holds worker 2 for 112 ms so far, computing, 4 other requests open
//! WARN holdup: GET /report (future, 1 poll, 3.40 s) held worker 2 for 3.40 s (3.39 s of it computing), 4 other requests open
//! ```
//!
//! Three holds of one route are logged at once, and after that one a second. The others are counted: `…and
//! 31 more holds by GET /report in the last 10 s`. [`Watch::log_level`] changes the level or turns the log
//! off, and [`Watch::allow`] exempts a route that may take longer.
//!
//! [`Watch::held_now`] returns the holds that last, [`Watch::holds`] those that are over,
//! [`Watch::on_hold`] calls your code for each, and [`Watch::subscribe`] gives every event. On Linux, the
//! first warning also names what the thread is doing ([`Activity`]), such as `sleeping`.
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
//! The assertion also fails when the watch observed no request at all, so a test that forgot to wrap the
//! app does not pass. The test has to be an `#[actix_web::test]`: the watch spawns tasks on the worker, as
//! actix's own services do, and under `#[tokio::test]` spawning them panics.
//!
//! # How to read a warning
//!
//! A **hold** is a period of 100 ms or more ([`Watch::threshold`]) in which a worker was blocked: it could
//! run nothing else. Five polls of one second each, back to back, are one hold of five seconds. Ten
//! requests that compute for 15 ms each, all in one iteration of the event loop, are one hold of 150 ms with
//! ten culprits.
//!
//! - The *part* in parentheses says where to look. `call` is the synchronous part of a middleware. `future`
//!   is the handler with its extractors, or the future of an inner middleware. `body` is a response stream.
//! - *Computing* close to the length of the hold: a long computation. Move it to
//!   [`web::block`](actix_web::web::block).
//! - *Computing* close to nothing: the thread waited for something that blocks, such as a file, a lock, a
//!   sleep or a query. Use its async equivalent, or `web::block`.
//! - *Not scheduled*: the machine ran other processes. No handler is at fault.
//! - *Something outside the watched requests*: a task that was spawned on the worker, or a middleware
//!   outside the watch. The watch does not guess, so it blames nobody.
//! - *Its loop turned 27 times without looking at its sockets for 2.41 s*: no poll was long, but no request
//!   was read and no timer fired in that time, so everybody else waited ([`HoldKind::Starved`]). tokio's
//!   event loop looks at its sockets when nothing is ready to run, and otherwise only once in 61 polls. A
//!   handler that wakes itself after each piece of work is always ready, as an upload to a slow disk is.
//!   Use `web::block` or an async equivalent here too; [`tokio::task::yield_now`] between the pieces also
//!   helps, because it waits for the next look at the sockets.
//!
//! # Who made whom wait
//!
//! A hold says who is slow. Just as often, the question is why a request was slow that is not. While a worker runs
//! one request, it runs no other, so the others lose time to it. The watch splits the time of each request
//! ([`Spent`]):
//!
//! - *running*: its worker ran it.
//! - *waiting*: it waited for something, such as a timer, a lock or an answer.
//! - *held up*: it could have gone on, but its worker was busy. This is the time from when the request was woken
//!   until the worker came to it. A worker in a hold does not look at its sockets and timers, so it does not know
//!   when they were ready. What it finds right after a hold counts as held up since the hold began, or since the
//!   request began to wait, if that was later.
//!
//! The time that a request was held up is told apart by the routes that its worker ran meanwhile. Time in which it
//! ran something outside the watched requests has no route, and neither has time in which the process was stopped.
//!
//! [`Watch::victims`] adds up who lost how much time to whom:
//!
//! ```text
//! 3 requests of GET /coroutine were held up by GET /blocking for 12.0 s, one of them for 6.00 s
//! ```
//!
//! *In a test*, [`testing::assert_not_held_up`] fails if a route's requests lose more time than they may.
//!
//! *For each request*, [`Event::Ended`] has the split of its time. If your app has a span for each request, as
//! middleware such as `tracing-actix-web` makes it, and the request was held up for the threshold or longer, that
//! span gets the event `holdup.held_up`, and follows from the span of the request that blocked. That span gets the event
//! `holdup.hold`, with the line that blocked (feature `stacks`). The tracing middleware has to be outside of the watch,
//! that is, wrapped after it; otherwise there is no span when the watch looks for one.
//!
//! ```no_run
//! # use actix_web::{App, middleware::Logger as TracingLogger};
//! # let watch = holdup_watch::Watch::new();
//! let app = App::new().wrap(watch.clone()).wrap(TracingLogger::default());
//! ```
//!
//! ```text
//! INFO request{path=/coroutine}: holdup::span: holdup.summary=GET /coroutine was held up for 6.00 s by GET /blocking …
//! ```
//!
//! The events have the level `INFO`. They are no warnings, because a request that was held up is not at fault, and the
//! hold has been warned of already. They are more than `DEBUG`, because they explain a slow request in a trace, for
//! which nobody turns on `DEBUG` beforehand. A separate thread writes them after the request, or the hold, has ended.
//! The span stays open until then: up to some 25 ms, or up to two seconds if the lines have to be looked up.
//! At most 256 events of each name are written in a second, and one line counts the other requests that were held up.
//! With [`Watch::log_level`] at `None`, there are none. `tracing-opentelemetry` makes OpenTelemetry's events and links
//! of them: docs/traces.md in the repository lists what is in them.
//!
//! *As a metric*, the counter `holdup_held_up_seconds_total` has the labels `route`, who lost the time, and `by`,
//! the route that it was lost to, or `unattributed`. Counters of the `metrics` crate are whole numbers. So the watch
//! keeps the fractions of a second, and adds them to the next loss of the same pair of routes: each counter is up to
//! one second behind. At most 1024 pairs are told apart; the others are counted as `other routes`. The histogram
//! `holdup_held_up_duration_seconds` has what each request lost, by `route`, and 0 for those that lost nothing.
//! [`Watch::held_up_times`] returns the same.
//!
//! *What it cannot know.* The time before its worker has read a request is not part of it. A request that waits for
//! a lock waits, even if the one that has the lock is held up. A body that its client reads slowly is held up only by
//! the holds of other requests. Times are known to within one tick of the system's clock, usually 4 ms.
//!
//! # Which line
//!
//! With the feature `stacks`, each hold also names the line of your code that blocks, and what that line
//! called ([`Hold::lines`], [`Hold::stack`]). [`Watch::assert_no_holds`] shows the whole stack.
//!
//! ```text
//! … holds worker 2 for 112 ms so far, sleeping, at app::render (src/main.rs:4), in std::thread::sleep
//! ```
//!
//! The first warning of a hold does not wait for the line. If the line tables have to be read first, a
//! second warning names the line: `worker 2, held by GET /report, is at app::render (…)`.
//!
//! A library that the app mounts may block, such as `actix_files` on a slow disk. If no code of the app is
//! on the stack, the warning names the library's function ([`Line::library`]); the route shows where the
//! library is mounted.
//!
//! A worker that waits for a lock may wait for another worker. If exactly one other blocked worker has got
//! past that point in the same function, the warning adds: `the lock is perhaps held by GET /report on
//! worker 1, at app::count (src/main.rs:14)`. This is a guess: the function may take one of many locks, or
//! may have released it.
//!
//! *What it needs.* Linux with glibc on `x86_64` or `aarch64`. It also needs line tables, which
//! `debug = "line-tables-only"` in the profile makes: without them, only functions are named, and in a
//! stripped program nothing is. At start, the log has `lines: on`, or why the feature is off.
//!
//! *What it cannot name.* With line tables alone, an inlined function keeps only its short name:
//! `app::cart::clone` instead of `app::cart::Cart::clone`. Where no frame of the stack knows the module
//! either, it is just `clone`. An inlined `async fn` has no name at all. What calls it usually knows the
//! name; otherwise the warning says `the handler of GET /report`. `debug = "limited"` keeps all names. In an
//! optimized build, a function whose last act is a call may be missing from the stack; its caller is named
//! instead.
//!
//! *What it costs.* Without a hold, nothing at run time, and 32 KiB of address space for each worker's
//! thread. During a hold, a signal, `SIGURG`, interrupts the worker's thread: up to ten times in the first
//! second and ever more rarely after that; after a hundred times, only once a minute. At each signal, the
//! thread copies its stack, which takes much less than a millisecond. The first hold makes a separate thread
//! read the line tables. That takes a tenth of a second (half a second in a debug build) and up to 70 MB in a
//! small app. After ten seconds without a hold, the tables are released: a third to a half of the memory goes
//! back at once, and the allocator keeps the rest for other use. A worker that makes a `backtrace::Backtrace`
//! of its own while the tables are read waits until they are.
//!
//! *What can go wrong.*
//! - **System calls that return `EINTR`.** Some system calls are not restarted after a signal: `poll`,
//!   `epoll_wait`, `nanosleep` and others (`signal(7)` lists them). The standard library and tokio repeat
//!   them; a C library may take `EINTR` for an error.
//! - **Wrong unwind tables**, as in some hand-written assembly. The copy of the stack is walked with the help
//!   of the compiler's tables. Where they are wrong, the stack ends early, or names functions that were not
//!   called. Nothing but the copy is read.
//!
//! *Where it is off, or skips a thread.*
//! - The feature is off where the program has a handler for `SIGURG`, whether it was installed before or
//!   after.
//! - It skips a thread that has been given a signal stack (`sigaltstack(2)`) with too little room for the
//!   handler, and a thread that runs on a stack which is not its own, as the `stacker` crate makes them. A
//!   thread whose own stack is nearly full is looked at all the same, because the handler has its own.
//! - A stack ends at code that was compiled at run time (JIT), and only its inner 256 KiB and 192 functions
//!   are looked at.
//!
//! *How to turn it off.* Set `HOLDUP_STACKS=0` in the environment of the process.
//!
//! # Where requests wait
//!
//! A request that *waits* holds no worker: for a lock that another request keeps across an `.await`, for a
//! connection of a pool, for a thread of the pool behind [`web::block`](actix_web::web::block), for another
//! service. [`Watch::requests`] lists all open requests with what each of them does, and [`Watch::waits`] groups
//! those that wait by the place in the code:
//!
//! ```text
//! GET /report, open for 1.29 s on worker 0, waiting at app::query (src/main.rs:34), in tokio::time::sleep
//! GET /report, open for 1.28 s on worker 0, waiting at app::report (src/main.rs:42), in tokio::sync::Mutex::lock
//! GET /report, open for 1.28 s on worker 0, waiting at app::report (src/main.rs:42), in tokio::sync::Mutex::lock
//! ```
//!
//! The line is the innermost `.await` of the app's own code. The odd one out of a route usually has what the
//! others wait for: here, the first request keeps the lock while it waits for a query.
//!
//! In a test, [`assert_concurrent`](testing::assert_concurrent) says where requests waited for each other, and
//! [`look`](testing::look) returns what all open requests wait for.
//!
//! *How it is found out.* A future that returns `Pending` has given its waker to what it waits for. When somebody
//! asks, the request's task is woken, and the request is polled once with a waker that takes a stack wherever it is
//! cloned. This needs the feature `stacks`, and no annotation or build flag; without the feature, a request has a
//! state and an age. No signal is sent for it. Response bodies and extractors are asked in the same way.
//!
//! *Where a trace ends.* `FuturesUnordered`, and what is built on it, polls only those futures that were woken, so the
//! place is the line that awaits all of them. A task that the handler has spawned and awaits is shown as its
//! `JoinHandle`; what runs on another executor is shown as the line that awaits its answer. A future that gives its
//! waker to nobody has no place. A request whose worker is held cannot be asked: its state is known from outside, and
//! its place only if it was asked since its last poll.
//!
//! *What it costs.* Nothing is traced unless somebody asks. A request that is asked takes its worker about a tenth of
//! a millisecond, and at most 256 are asked in a second.
//!
//! # What it cannot detect
//!
//! - The line that blocks, without the feature `stacks`. The watch then knows only the route and the part. It
//!   does not know where a request waits, either.
//! - Requests that the blocked worker has not read. They wait too, but the watch cannot count them.
//! - Whose work a spawned task does. The watch knows that the task blocks the worker, but not which request
//!   spawned it.
//! - Who has the lock or the connection that a request waits for. Nothing records it. The watch shows where the
//!   other requests are.
//! - Outside of Unix, an event loop that runs without polling its sockets. On Unix, up to 25 ms at the
//!   beginning of each such period can be missing. In the actix test harness, the test itself drives the app
//!   and the sockets are polled after each of its polls, so such a handler shows on a real server only.
//! - The route of a path that an inner middleware rewrites, as `NormalizePath` does. It is reported as
//!   `unmatched`. Wrap such a middleware outside of the watch, that is, after it in the source.
//! - After an upgrade (`101 Switching Protocols`), everything but what goes through the response body.
//! - While no request is open, the first fifth of a second in which a spawned task or an actor holds a worker. Such a
//!   hold may be missed unless it exceeds the threshold by a fifth of a second. Where the system does not report what
//!   a thread waits for (outside of Linux, and in gVisor), the watch may notice it a second late, or later with more
//!   than two workers.
//!
//! # What it costs
//!
//! Each poll costs two readings of the clock, and each request a few numbers that other threads can read: what it
//! does, since when, and when it was woken. They are kept in a place that the next request uses again. While
//! requests are open, a thread outside of the workers and the workers that have them wake up four times per
//! threshold, which is forty times a second. While none is open, that thread wakes up five times a second and, on
//! Linux, wakes no worker. A worker that is busy is sent one byte through a pair of sockets of its own; each worker
//! has four file descriptors for this. A worker never waits for a lock and never writes a log line. It allocates
//! once for each streamed body, once for a path that is not in its cache, and a little when a request loses time and
//! when more requests are open than before.
//!
//! A watch has up to six threads. One samples the workers. One each writes the log, records the figures of
//! the `metrics` crate, calls [`on_hold`](Watch::on_hold), looks up the names of functions (with the feature
//! `stacks`), and writes the [record](Watch::record). A log that blocks or panics delays or loses its own lines
//! and nothing else. [`Watch::health`] shows the state of the threads. If the system cannot start them, the app is still
//! served, and one warning is logged.
//!
//! The worst case is a handler that does nothing. There, without a console, `cargo bench --bench cost` measured about
//! 5 % less throughput and 4 % more CPU time for each request, 0.3 µs (BENCHMARKS.md).

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
pub use holdup_detect::{
    Figures, LogLevel, RecordError, RecordOptions, Subscription, THRESHOLD, ThreadHealth,
    ThreadState,
};
pub use holdup_model::{
    Activity, AwaitPoint, Blame, Culprit, Event, HeldUpTimes, Hold, HoldKind, Line, OpenRequest,
    Part, RequestState, RouteName, Spent, Victim, Wait, WorkerStatus,
};
