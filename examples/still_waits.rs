//! "My handler is async, and it still waits."
//!
//! None of these handlers blocks its worker, so `Watch` reports no hold. They wait all the same: for a lock, for a
//! connection, for a thread of the pool, and for another service. Beside each of the four is its cure, under the
//! same path with `/fixed`.
//!
//! ```console
//! cargo run --example still_waits --features stacks
//! for x in 1 2 3 4; do curl "localhost:8080/lock?x=$x" & done    # one after the other
//! ```
//!
//! Where they wait is on the console's page at <http://localhost:8081/>. `cargo test --example still_waits --features
//! stacks` shows how a test finds each of them. docs/waits.md explains it all.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use actix_web::rt::time;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use holdup_console::Console;
use holdup_watch::Watch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};

/// How long a query takes.
const QUERY: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 2000 });

/// A query to a database, which takes its time and blocks nobody.
async fn query() -> u64 {
    time::sleep(QUERY).await;
    7
}

static TOTAL: Mutex<u64> = Mutex::const_new(0);

/// Keeps the lock while it waits for the query, so that only one request has a query at a time.
async fn lock() -> String {
    let mut total = TOTAL.lock().await;
    *total += query().await;
    format!("{total}\n")
}

/// Takes the lock when there is nothing more to wait for.
async fn lock_fixed() -> String {
    let price = query().await;
    let mut total = TOTAL.lock().await;
    *total += price;
    format!("{total}\n")
}

/// Stands for a pool of one connection.
static ONE: Semaphore = Semaphore::const_new(1);

/// Stands for a pool that has as many connections as requests need it at a time.
static MANY: Semaphore = Semaphore::const_new(16);

/// Waits for the only connection.
async fn pool() -> String {
    let _connection = ONE.acquire().await;
    format!("{}\n", query().await)
}

/// Finds a free connection.
async fn pool_fixed() -> String {
    let _connection = MANY.acquire().await;
    format!("{}\n", query().await)
}

/// The same query with a driver that blocks.
#[expect(
    clippy::disallowed_methods,
    reason = "it runs on the pool of threads, where it may block"
)]
fn blocking_query() -> u64 {
    thread::sleep(QUERY);
    7
}

/// Blocks a thread of the pool and not the worker. But the pool has two threads only (see `main`), so the third
/// request waits until one is free.
async fn threads() -> actix_web::Result<String> {
    Ok(format!("{}\n", web::block(blocking_query).await?))
}

/// Needs no thread. Where there is no async equivalent, the cure is a larger pool.
async fn threads_fixed() -> String {
    format!("{}\n", query().await)
}

/// Waits for another service for as long as that takes.
async fn upstream(service: Data<SocketAddr>) -> io::Result<String> {
    ask(**service).await
}

/// Gives up soon, so that neither the client nor what the request occupies has to wait.
async fn upstream_fixed(service: Data<SocketAddr>) -> io::Result<HttpResponse> {
    Ok(match time::timeout(QUERY, ask(**service)).await {
        Ok(answer) => HttpResponse::Ok().body(answer?),
        Err(_) => HttpResponse::GatewayTimeout().body("the other service is slow\n"),
    })
}

async fn ask(service: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(service).await?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Is answered at once whatever the others wait for, because none of them blocks the worker.
async fn hello() -> &'static str {
    "hello\n"
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/hello", web::get().to(hello))
        .route("/lock", web::get().to(lock))
        .route("/lock/fixed", web::get().to(lock_fixed))
        .route("/pool", web::get().to(pool))
        .route("/pool/fixed", web::get().to(pool_fixed))
        .route("/threads", web::get().to(threads))
        .route("/threads/fixed", web::get().to(threads_fixed))
        .route("/upstream", web::get().to(upstream))
        .route("/upstream/fixed", web::get().to(upstream_fixed));
}

/// Another service, which takes ten times as long as a query.
#[expect(clippy::disallowed_methods, reason = "it has threads of its own")]
fn slow_service() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                thread::sleep(10 * QUERY);
                stream.write_all(b"HTTP/1.0 200 OK\r\n\r\ndone\n")
            });
        }
    });
    Ok(address)
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    tracing_subscriber::fmt().init();
    let watch = Watch::new();
    let console = Console::builder(&watch, "127.0.0.1:8081")
        .app("http://127.0.0.1:8080")
        .button("/lock")
        .button("/pool")
        .button("/threads")
        .button("/upstream")
        .beside("/hello");
    let _console = console.start().map_err(io::Error::other)?;
    let service = Data::new(slow_service()?);
    HttpServer::new(move || {
        App::new()
            .app_data(service.clone())
            .configure(routes)
            .wrap(watch.clone())
    })
    .workers(1)
    .worker_max_blocking_threads(2)
    .bind("127.0.0.1:8080")?
    .run()
    .await
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use actix_web::rt::{self, System};
    use actix_web::test::{TestRequest, call_service, init_service};
    use futures_util::FutureExt as _;
    use holdup_watch::RequestState;
    use holdup_watch::testing::{assert_concurrent, look};
    use tokio::runtime;

    use super::*;

    /// Sends four requests at once, none of which may block. Returns the message of the assertion that they ran at
    /// the same time; `None` if they did.
    async fn failure(path: &str) -> Option<String> {
        let watch = Watch::new();
        let app = App::new().configure(routes).wrap(watch.clone());
        let app = init_service(app).await;
        let request = |x| TestRequest::with_uri(&format!("{path}?x={x}")).to_request();
        let asserted = AssertUnwindSafe(assert_concurrent(&app, request, 4));
        let asserted = asserted.catch_unwind().await;
        watch.assert_no_holds();
        asserted.err()?.downcast().ok().map(|message| *message)
    }

    /// Asserts that requests wait for each other, and with the feature `stacks` that it is `told` where.
    async fn waits(path: &str, told: &str) {
        let message = failure(path).await.expect("they wait for each other");
        assert!(
            !cfg!(feature = "stacks") || message.contains(told),
            "{message}"
        );
    }

    #[actix_web::test]
    async fn a_lock_that_is_kept_across_an_await() {
        waits("/lock", " waited at still_waits::lock (").await;
        assert_eq!(failure("/lock/fixed").await, None);
    }

    #[actix_web::test]
    async fn a_pool_of_one() {
        waits("/pool", " waited at still_waits::pool (").await;
        assert_eq!(failure("/pool/fixed").await, None);
    }

    #[test]
    fn a_thread_pool_of_two() {
        let two_threads = || {
            let mut runtime = runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().max_blocking_threads(2).build();
            runtime.expect("a runtime")
        };
        System::with_tokio_rt(two_threads).block_on(async {
            waits("/threads", " waited at still_waits::threads (").await;
            assert_eq!(failure("/threads/fixed").await, None);
        });
    }

    /// Requests for a slow service do run at the same time. A look shows what they wait for.
    #[actix_web::test]
    async fn a_slow_service() {
        let never_answers = TcpListener::bind("127.0.0.1:0").expect("an address");
        let service = Data::new(never_answers.local_addr().expect("an address"));
        let watch = Watch::new();
        let app = App::new().app_data(service).configure(routes);
        let app = init_service(app.wrap(watch.clone())).await;

        let fixed = TestRequest::with_uri("/upstream/fixed").to_request();
        assert_eq!(call_service(&app, fixed).await.status(), 504);

        let request = TestRequest::with_uri("/upstream").to_request();
        let open = rt::spawn(async move { call_service(&app, request).await.status() });
        time::sleep(QUERY).await;
        let requests = look(&watch).await;
        let RequestState::Waiting { at, .. } = &requests[0].state else {
            panic!("{requests:?}");
        };
        if cfg!(feature = "stacks") {
            assert!(
                at[0].to_string().starts_with("still_waits::ask ("),
                "{at:?}"
            );
        }
        open.abort();
    }
}
