//! Handlers that wait for tokio's own primitives. Each case is a function with the name of its route, and the line
//! at which it waits ends with that name.

use std::future::pending;
use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::sleep;

use crate::arrivals::arrive;
use crate::upstream;

pub const LONG: Duration = Duration::from_secs(3600);

/// Somebody has it for as long as the app runs.
pub static TAKEN: Mutex<()> = Mutex::const_new(());
static WRITTEN: RwLock<()> = RwLock::const_new(());
static READ: RwLock<()> = RwLock::const_new(());
static NONE_LEFT: Semaphore = Semaphore::const_new(0);
static NEVER: Notify = Notify::const_new();

pub fn take() {
    std::mem::forget(TAKEN.try_lock().expect("it is free"));
    std::mem::forget(WRITTEN.try_write().expect("it is free"));
    std::mem::forget(READ.try_read().expect("it is free"));
}

async fn mutex() -> &'static str {
    let _taken = TAKEN.lock().await; // mutex
    "done"
}

async fn rwlock_read() -> &'static str {
    let _read = WRITTEN.read().await; // rwlock_read
    "done"
}

async fn rwlock_write() -> &'static str {
    let _written = READ.write().await; // rwlock_write
    "done"
}

async fn semaphore() -> &'static str {
    let _permit = NONE_LEFT.acquire().await; // semaphore
    "done"
}

async fn notify() -> &'static str {
    NEVER.notified().await; // notify
    "done"
}

async fn mpsc_recv() -> &'static str {
    let (_send, mut receive) = mpsc::channel::<u8>(1);
    receive.recv().await; // mpsc_recv
    "done"
}

async fn mpsc_send() -> &'static str {
    let (send, _receive) = mpsc::channel(1);
    send.send(1_u8).await.ok();
    send.send(2_u8).await.ok(); // mpsc_send
    "done"
}

async fn broadcast_recv() -> &'static str {
    let (_send, mut receive) = broadcast::channel::<u8>(1);
    receive.recv().await.ok(); // broadcast_recv
    "done"
}

async fn oneshot() -> &'static str {
    let (_send, receive) = oneshot::channel::<u8>();
    receive.await.ok(); // oneshot
    "done"
}

async fn watch() -> &'static str {
    let (_send, mut receive) = watch::channel(1_u8);
    receive.changed().await.ok(); // watch
    "done"
}

async fn barrier() -> &'static str {
    let barrier = Barrier::new(2);
    barrier.wait().await; // barrier
    "done"
}

/// A task of which only the handle is known.
async fn join_handle() -> &'static str {
    let task = tokio::spawn(pending::<()>());
    task.await.ok(); // join_handle
    "done"
}

/// The only thread of the pool is taken.
async fn block() -> &'static str {
    web::block(|| ()).await.ok(); // block
    "done"
}

async fn sleeps() -> &'static str {
    sleep(LONG).await; // sleeps
    "done"
}

async fn socket() -> &'static str {
    let mut socket = TcpStream::connect(upstream::address())
        .await
        .expect("it listens");
    let mut bytes = [0; 16];
    arrive();
    socket.read(&mut bytes).await.ok(); // socket
    "done"
}

pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/mutex", web::to(mutex))
        .route("/rwlock_read", web::to(rwlock_read))
        .route("/rwlock_write", web::to(rwlock_write))
        .route("/semaphore", web::to(semaphore))
        .route("/notify", web::to(notify))
        .route("/mpsc_recv", web::to(mpsc_recv))
        .route("/mpsc_send", web::to(mpsc_send))
        .route("/broadcast_recv", web::to(broadcast_recv))
        .route("/oneshot", web::to(oneshot))
        .route("/watch", web::to(watch))
        .route("/barrier", web::to(barrier))
        .route("/join_handle", web::to(join_handle))
        .route("/block", web::to(block))
        .route("/sleeps", web::to(sleeps))
        .route("/socket", web::to(socket));
}
