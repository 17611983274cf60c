//! Stacks of threads that are in the middle of what a signal handler must not touch.

use std::hint::black_box;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::watch::lines;

/// Once for all tests of this program, as for all watches of an app.
fn start() {
    lines::start();
    assert_eq!(lines::off(), None);
}

type Work = fn(&Mutex<u64>);

/// What a worker does again and again; the name of the function that does it.
const WORK: [(&str, Work); 6] = [
    ("allocate", allocate),
    ("lock", lock),
    ("unwind", unwind),
    ("walk", walk),
    ("spawn", spawn),
    ("read", read_a_file),
];

#[inline(never)]
fn allocate(_: &Mutex<u64>) {
    let boxes: Vec<_> = (1..200_usize)
        .map(|n| black_box(vec![0_u8; n * 97]))
        .collect();
    drop(black_box(boxes));
}

#[inline(never)]
fn lock(mutex: &Mutex<u64>) {
    for _ in 0..100 {
        *mutex.lock().expect("nobody panics with it") += 1;
    }
}

/// As a panic does, but for the message.
#[inline(never)]
fn unwind(_: &Mutex<u64>) {
    struct Drops(Vec<u8>);
    impl Drop for Drops {
        fn drop(&mut self) {
            black_box(&self.0);
        }
    }
    fn deeper(depth: u32) {
        let _drops = Drops(vec![1; 10]);
        if depth == 0 {
            resume_unwind(Box::new("on purpose"));
        }
        deeper(black_box(depth - 1));
    }
    catch_unwind(|| deeper(20)).expect_err("it unwinds");
}

/// The unwinder itself, interrupted.
#[inline(never)]
fn walk(_: &Mutex<u64>) {
    backtrace::trace(|frame| black_box(!frame.ip().is_null()));
}

/// The loader's and the allocator's work on threads.
#[inline(never)]
fn spawn(_: &Mutex<u64>) {
    thread::spawn(|| black_box(vec![0_u8; 100]))
        .join()
        .expect("it ends");
}

#[inline(never)]
fn read_a_file(_: &Mutex<u64>) {
    black_box(fs::read("/proc/self/stat").expect("Linux has it"));
}

fn resident_kilobytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
    number.expect("a number")
}

/// One capture after another, of each worker in turn; none may be wrong, and the workers go on.
fn stress(captures: usize) {
    start();
    let mutex = Arc::new(Mutex::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = WORK
        .map(|(name, work)| {
            let (mutex, over) = (Arc::clone(&mutex), Arc::clone(&over));
            let turns = Arc::new(AtomicU64::new(0));
            let (tell, told) = std::sync::mpsc::channel();
            let counted = Arc::clone(&turns);
            let thread = thread::spawn(move || {
                tell.send(system::thread_number())
                    .expect("it is waited for");
                while !over.load(Ordering::Relaxed) {
                    work(&mutex);
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
            (name, turns, thread, told.recv().expect("a number"))
        })
        .into_iter()
        .collect();
    let (mut taken, mut named, mut memory) = (0, 0, 0);
    for capture in 0..captures {
        if capture == captures / 10 {
            memory = resident_kilobytes();
        }
        let (name, _, _, number) = &workers[capture % workers.len()];
        // On a busy machine a thread may have no turn in time.
        let Ok(stack) = take(*number) else { continue };
        taken += 1;
        if capture % 50 == 0 {
            let frames = names::of(&stack.addresses);
            let within = |frame: &reading::Frame| {
                let function = frame.name.as_deref().unwrap_or_default();
                function.contains(&format!("::tests::{name}"))
                    || function.contains("::tests::stress")
                    || function.contains("::tests::read_a_file")
            };
            named += usize::from(frames.iter().any(within));
        }
    }
    let grown = resident_kilobytes().saturating_sub(memory);
    let before: Vec<_> = workers
        .iter()
        .map(|worker| worker.1.load(Ordering::Relaxed))
        .collect();
    let goes_on = |(worker, before): (&(_, Arc<AtomicU64>, _, _), &u64)| {
        while worker.1.load(Ordering::Relaxed) <= *before {
            thread::yield_now();
        }
    };
    workers.iter().zip(&before).for_each(goes_on);
    over.store(true, Ordering::Relaxed);
    for (_, _, thread, _) in workers {
        thread.join().expect("it did not panic");
    }
    assert!(
        taken * 10 >= captures * 9,
        "{taken} of {captures} were taken"
    );
    let looked_at = captures.div_ceil(50);
    assert!(
        named * 10 >= looked_at * 9,
        "{named} of {looked_at} show the worker"
    );
    assert!(
        grown < 20_000,
        "{grown} kB more than after a tenth of the time"
    );
}

#[test]
fn stacks_of_threads_in_the_middle_of_anything_are_taken() {
    stress(600);
}

#[test]
#[ignore = "takes a while; the one before is the same, shorter"]
fn ten_thousand_stacks_of_threads_in_the_middle_of_anything_are_taken() {
    stress(10_000);
}

#[test]
fn a_thread_that_is_gone_gives_no_stack() {
    start();
    let thread = thread::spawn(system::thread_number);
    let number = thread.join().expect("it ends");
    assert!(take(number).is_err());
    assert!(take(None).is_err());
}

#[test]
fn line_tables_that_were_let_go_are_read_anew() {
    start();
    let stack = take(system::thread_number()).expect("its own");
    let before = names::look_up(stack.addresses[0]);
    assert!(before[0].line.is_some(), "{before:?}");
    rest(u64::MAX);
    assert_eq!(names::look_up(stack.addresses[0]), before);
}
