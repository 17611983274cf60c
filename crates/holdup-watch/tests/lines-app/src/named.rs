//! Handlers that block in functions that an optimized build inlines.

use std::fs::{self, OpenOptions};
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use rustix::fs::{CWD, Mode, mkfifoat};
use serde::Serialize;

use crate::forms::LONG;

pub async fn export() -> &'static str {
    thread::sleep(LONG); // export
    "done"
}

/// Long enough to be logged again.
pub async fn long() -> &'static str {
    thread::sleep(LONG * 4); // long
    "done"
}

/// A middleware of the app's own that blocks before it calls the handler.
pub async fn log_in(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    thread::sleep(LONG); // log in
    next.call(request).await
}

/// Cloning it blocks.
struct Cart(u64);

impl Clone for Cart {
    #[inline(always)]
    fn clone(&self) -> Self {
        thread::sleep(LONG); // clone
        Self(self.0)
    }
}

pub async fn copy() -> String {
    black_box(black_box(&Cart(3)).clone()).0.to_string()
}

#[derive(Serialize)] // derived
struct Report {
    title: &'static str,
    rows: Vec<u64>,
}

/// The code that blocks is in a derived implementation.
pub async fn derived() -> HttpResponse {
    let until = Instant::now() + LONG;
    let (title, rows) = ("a report", (0..2_000_000).collect());
    let report = Report { title, rows };
    while Instant::now() < until {
        black_box(serde_json::to_string(black_box(&report)).expect("JSON"));
    }
    HttpResponse::Ok().finish()
}

/// The second of two concurrent requests waits for the first.
pub async fn shared() -> &'static str {
    static LOCK: Mutex<u32> = Mutex::new(0);
    shared_lock(&LOCK);
    "done"
}

#[inline(never)]
fn shared_lock(lock: &Mutex<u32>) {
    let mut count = lock.lock().expect("nobody panics with it"); // shared lock
    *count += 1;
    thread::sleep(LONG * 2); // shared hold
    drop(count);
}

/// A folder with a file that nobody can open for a while: a FIFO without a writer, for a slow disk.
pub fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let name = format!("holdup-files-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // A run that ended early may have left it, and process ids are reused.
        fs::remove_dir_all(&folder).ok();
        fs::create_dir(&folder).expect("a folder");
        mkfifoat(CWD, folder.join("slow"), Mode::from_raw_mode(0o600)).expect("a FIFO");
        folder
    })
}

pub fn remove_folder() {
    fs::remove_dir_all(folder()).expect("our own");
}

/// Lets the file be opened after a while.
pub fn open_later() -> thread::JoinHandle<()> {
    let path = folder().join("slow");
    thread::spawn(move || {
        thread::sleep(LONG + Duration::from_millis(200));
        drop(OpenOptions::new().write(true).open(path));
    })
}
