//! The ways to block. Not inlined, so that also a program without line tables has their names.

use std::fs::{self, OpenOptions};
use std::hint::black_box;
use std::net::ToSocketAddrs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use rustix::time::{ClockId, clock_gettime};

pub const FORMS: [&str; 7] = ["sleep", "file", "lock", "dns", "cpu", "sqlite", "three"];

pub const LONG: Duration = Duration::from_millis(800);

pub fn run(form: &str) {
    match form {
        "sleep" => sleep(),
        "file" => file(),
        "lock" => lock(),
        "dns" => dns(),
        "cpu" => cpu(),
        "sqlite" => sqlite(),
        "three" => three(),
        _ => unreachable!("{form}"),
    }
    not_last();
}

/// What follows a call keeps it from being the last of its function, which the compiler may turn into
/// a jump: then the function is not on the stack.
fn not_last() {
    black_box(());
}

#[inline(never)]
fn sleep() {
    thread::sleep(LONG); // sleep
    not_last();
}

fn own_path(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("holdup-{name}-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    // One that was ended early has left it, and process numbers come again.
    fs::remove_file(&path).ok();
    path
}

#[inline(never)]
fn file() {
    let fifo = own_path("fifo");
    mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("a FIFO");
    let path = fifo.clone();
    thread::spawn(move || {
        // Half of the time it is opened, the other half it is read.
        thread::sleep(LONG / 2);
        let writer = OpenOptions::new().write(true).open(path);
        thread::sleep(LONG / 2);
        drop(writer.expect("a reader waits"));
    });
    let read = fs::read(&fifo); // file
    black_box(read.expect("a FIFO"));
    fs::remove_file(&fifo).expect("our own");
}

#[inline(never)]
fn lock() {
    static LOCK: Mutex<u32> = Mutex::new(0);
    let (locked, wait) = mpsc::channel();
    thread::spawn(move || {
        let held = LOCK.lock().expect("nobody panics with it");
        locked.send(()).expect("it is waited for");
        thread::sleep(LONG);
        drop(held);
    });
    wait.recv().expect("the thread sends");
    let mut count = LOCK.lock().expect("nobody panics with it"); // lock
    *count += 1;
}

#[inline(never)]
fn dns() {
    static OVER: AtomicBool = AtomicBool::new(false);
    // The C library reads it whenever it looks up a name without a dot (hostname(7)).
    let fifo = std::env::var("HOSTALIASES").expect("set by the test");
    OVER.store(false, Ordering::Relaxed);
    let writer = thread::spawn(move || {
        thread::sleep(LONG);
        // Opening fails while nobody reads.
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).expect("fits");
        while !OVER.load(Ordering::Relaxed) {
            let mut options = OpenOptions::new();
            drop(options.write(true).custom_flags(nonblocking).open(&fifo));
            thread::sleep(Duration::from_millis(1));
        }
    });
    let found = ("nowhere", 80).to_socket_addrs(); // dns
    black_box(found.is_ok());
    OVER.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends");
}

#[inline(never)]
fn cpu() {
    let until = Instant::now() + LONG;
    while Instant::now() < until {
        let mut n = 1_u64;
        for _ in 0..1_000_000 {
            n = black_box(n.wrapping_mul(6_364_136_223_846_793_005) + 1 / 3);
        }
    } // the end of cpu
}

#[inline(never)]
fn sqlite() {
    let path = own_path("sqlite");
    let other = rusqlite::Connection::open(&path).expect("a database");
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let own = rusqlite::Connection::open(&path).expect("a database");
    own.busy_timeout(LONG).expect("a timeout");
    let begun = own.execute_batch("BEGIN IMMEDIATE"); // sqlite
    assert!(begun.is_err(), "it is locked");
    fs::remove_file(&path).expect("our own");
}

/// The time that this thread was computing: on a busy machine little of what goes by.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).expect("under a second");
    Duration::new(time.tv_sec.unsigned_abs(), nanoseconds)
}

/// Runs three functions, each long enough that sampling cannot miss it.
fn three() {
    for function in [first, second, third] {
        let until = computed() + LONG * 4 / 3;
        while computed() < until {
            for _ in 0..10 {
                function();
            }
        }
    }
}

#[inline(never)]
fn first() {
    (0..2_000_000_u64).for_each(|n| _ = black_box(n.rotate_left(3)));
}

#[inline(never)]
fn second() {
    (0..2_000_000_u64).for_each(|n| _ = black_box(n.rotate_left(5)));
}

#[inline(never)]
fn third() {
    (0..2_000_000_u64).for_each(|n| _ = black_box(n.rotate_left(7)));
}
