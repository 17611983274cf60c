//! Takes stacks of threads that are in the middle of operations that a signal handler must not touch.

mod agreement;
mod stacks;
mod stress;
mod wrong_tables;

use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate as lines;
use crate::frame::Frame;

/// Starts the crate once for all tests of this program, as an app does for all its watches.
fn start() {
    lines::start();
    assert_eq!(lines::off(), None);
}

/// A thread that is prepared and runs `work`, with its number.
fn prepared(work: impl FnOnce() + Send + 'static) -> (thread::JoinHandle<()>, u32) {
    let (tell, told) = mpsc::channel();
    let thread = thread::spawn(move || {
        lines::prepare_thread();
        tell_number(&tell);
        work();
    });
    (thread, told.recv().expect("a number"))
}

fn tell_number(tell: &Sender<u32>) {
    tell.send(system::thread_number())
        .expect("it is waited for");
}

/// A thread's stack. On a busy machine, the thread may not be scheduled in time.
fn take_patiently(number: u32) -> Result<Taken, TakeError> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match take(number) {
            Err(TakeError::Silent) if Instant::now() < deadline => {}
            taken => return taken,
        }
    }
}

fn name_of(frame: &Frame) -> &str {
    frame.name.as_deref().unwrap_or_default()
}

#[test]
fn a_thread_that_is_gone_gives_no_stack() {
    start();
    let thread = thread::spawn(system::thread_number);
    let number = thread.join().expect("it ends");
    // The system knows a thread for a moment longer.
    let entry = format!("/proc/self/task/{number}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while Path::new(&entry).exists() {
        assert!(Instant::now() < deadline, "it never ends");
        thread::yield_now();
    }
    assert_eq!(take(number).err(), Some(TakeError::Gone));
}

#[test]
fn line_tables_that_were_let_go_are_read_anew() {
    let _turn = lines::turn();
    start();
    lines::prepare_thread();
    let stack = take(system::thread_number()).expect("its own");
    // The C library has no line tables.
    let own = stack
        .addresses
        .iter()
        .map(|&address| (address, names::look_up(address)));
    let own = own.into_iter().find(|(_, frames)| frames[0].line.is_some());
    let (address, before) = own.expect("a line of this program");
    rest(u64::MAX);
    assert_eq!(names::look_up(address), before);
}
