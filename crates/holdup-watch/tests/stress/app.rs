//! An app whose requests end in every way in which a request can end.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use actix_web::dev::Service as _;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, Error, HttpResponse};
use async_stream::stream;
use holdup_testkit::app::{Served, serve_on};
use holdup_watch::Watch;
use tokio::time::{sleep, timeout};

const SHORT: Duration = Duration::from_millis(2);

/// How many requests' handlers there were, and how many of them are live.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(Arc<(AtomicU64, AtomicI64)>);

impl Counts {
    fn begin(&self) -> Live {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        self.0.1.fetch_add(1, Ordering::Relaxed);
        Live(self.clone())
    }

    pub(crate) fn live(&self) -> i64 {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// Is in a handler's future or in its stream.
struct Live(Counts);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.0.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until another thread says so. The waker is kept behind, and called a second and third time.
struct Told {
    shared: Arc<Shared>,
    threads: Threads,
    is_sent: bool,
}

#[derive(Default)]
struct Shared {
    is_told: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

#[derive(Clone)]
struct Threads(mpsc::Sender<Arc<Shared>>);

impl Threads {
    /// Threads that tell, two of them one after the other.
    fn start() -> Self {
        let (send, receive) = mpsc::channel::<Arc<Shared>>();
        let (send_again, receive_again) = mpsc::channel::<Waker>();
        thread::spawn(move || {
            for shared in receive {
                thread::yield_now();
                let early = shared.waker.lock().expect("nobody panics with it").clone();
                // A wake-up for nothing, which is allowed.
                early.iter().for_each(Waker::wake_by_ref);
                shared.is_told.store(true, Ordering::Release);
                let waker = shared.waker.lock().expect("nobody panics with it").take();
                if let Some(waker) = waker {
                    waker.wake_by_ref();
                    send_again.send(waker).expect("the other thread runs");
                }
            }
        });
        // When the request has ended, or another one has its place.
        thread::spawn(move || receive_again.into_iter().for_each(Waker::wake));
        Self(send)
    }

    fn told(&self) -> Told {
        Told {
            shared: Arc::default(),
            threads: self.clone(),
            is_sent: false,
        }
    }
}

impl Future for Told {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        *self.shared.waker.lock().expect("nobody panics with it") = Some(context.waker().clone());
        if self.shared.is_told.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut self.is_sent, true) {
            self.threads
                .0
                .send(Arc::clone(&self.shared))
                .expect("the thread runs");
        }
        Poll::Pending
    }
}

async fn served(counts: Data<Counts>, threads: Data<Threads>) -> HttpResponse {
    let _live = counts.begin();
    for _ in 0..3 {
        threads.told().await;
    }
    HttpResponse::Ok().body("served")
}

async fn locked(counts: Data<Counts>, lock: Data<tokio::sync::Mutex<()>>) -> HttpResponse {
    let _live = counts.begin();
    let _held = lock.lock().await;
    sleep(Duration::from_micros(200)).await;
    HttpResponse::Ok().body("locked")
}

async fn joined(counts: Data<Counts>, threads: Data<Threads>) -> HttpResponse {
    let _live = counts.begin();
    let waits = || async {
        tokio::select! {
            () = threads.told() => {}
            () = sleep(SHORT) => {}
        }
    };
    tokio::join!(waits(), waits(), waits());
    let result = web::block(thread::yield_now).await;
    result
        .map_or_else(
            |_| HttpResponse::InternalServerError(),
            |()| HttpResponse::Ok(),
        )
        .body("joined")
}

async fn panics(counts: Data<Counts>, threads: Data<Threads>) -> HttpResponse {
    let _live = counts.begin();
    threads.told().await;
    panic!("on purpose");
}

async fn times_out(counts: Data<Counts>) -> HttpResponse {
    let _live = counts.begin();
    let never = std::future::pending::<()>();
    match timeout(SHORT, never).await {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(_) => HttpResponse::GatewayTimeout().body("late"),
    }
}

/// Is dropped by the middleware around it, or because the client leaves. actix does not always notice at once that the
/// client has left, so it ends after a while.
async fn never(counts: Data<Counts>, lock: Data<tokio::sync::Mutex<()>>) -> HttpResponse {
    let _live = counts.begin();
    for _ in 0..500 {
        drop(lock.lock().await);
        sleep(SHORT).await;
    }
    HttpResponse::Ok().body("never read")
}

async fn streams(counts: Data<Counts>, threads: Data<Threads>) -> HttpResponse {
    let live = counts.begin();
    HttpResponse::Ok().streaming(stream! {
        let _live = live;
        for _ in 0..5 {
            threads.told().await;
            yield Ok::<_, Error>(Bytes::from_static(b"chunk"));
        }
    })
}

async fn streams_forever(counts: Data<Counts>) -> HttpResponse {
    let live = counts.begin();
    HttpResponse::Ok().streaming(stream! {
        let _live = live;
        for _ in 0..2000 {
            sleep(Duration::from_micros(500)).await;
            yield Ok::<_, Error>(Bytes::from_static(b"chunk"));
        }
    })
}

pub(crate) fn serve(watch: &Watch, workers: usize) -> (Served, Counts) {
    let (watch, counts) = (watch.clone(), Counts::default());
    let (own, threads) = (counts.clone(), Threads::start());
    let lock = Data::new(tokio::sync::Mutex::new(()));
    // The panics on purpose would be thousands of lines.
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref() != Some(&"on purpose") {
            eprintln!("{info}");
        }
    }));
    let served = serve_on(workers, move || {
        let watch = watch.clone();
        App::new()
            .app_data(Data::new(own.clone()))
            .app_data(Data::new(threads.clone()))
            .app_data(lock.clone())
            .route("/served", web::get().to(served))
            .route("/locked", web::get().to(locked))
            .route("/joined", web::get().to(joined))
            .route("/panics", web::get().to(panics))
            .route("/late", web::get().to(times_out))
            .route("/never", web::get().to(never))
            .route("/streams", web::get().to(streams))
            .route("/forever", web::get().to(streams_forever))
            .service(
                web::scope("/inner")
                    .wrap(watch.clone())
                    .route("/served", web::get().to(self::served)),
            )
            .wrap(watch)
            .wrap_fn(|request, service| {
                let is_dropped = request.query_string() == "drop";
                let answer = service.call(request);
                async move {
                    if !is_dropped {
                        return answer.await;
                    }
                    let late = |_| actix_web::error::ErrorGatewayTimeout("dropped");
                    timeout(SHORT, answer).await.map_err(late)?
                }
            })
    });
    (served, counts)
}
