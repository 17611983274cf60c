//! Many stacks of threads that never rest.

use std::fs;
use std::hint::black_box;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::*;

/// What a worker does again and again until it is over.
struct Job {
    mutex: Arc<Mutex<u64>>,
    over: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
}

impl Job {
    fn repeat(&self, work: impl Fn(&Mutex<u64>)) {
        while !self.over.load(Ordering::Relaxed) {
            work(&self.mutex);
            self.turns.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Each worker runs in a function of its own, which is on its stack all the time and on no other thread's
/// stack.
macro_rules! workers {
    ($($worker:ident does $work:ident),*) => {
        $(
            #[inline(never)]
            fn $worker(job: &Job) {
                job.repeat($work);
                // Without this, the compiler may merge two of these functions.
                black_box(stringify!($worker));
            }
        )*

        const WORKERS: &[(&str, fn(&Job))] = &[$((stringify!($worker), $worker)),*];
    };
}

workers! {
    allocator does allocate,
    locker does lock,
    thrower does unwind,
    walker does walk,
    spawner does spawn,
    reader does read_a_file
}

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

/// Unwinds as a panic does, but without the message.
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

/// Interrupts the unwinder itself.
#[inline(never)]
fn walk(_: &Mutex<u64>) {
    backtrace::trace(|frame| black_box(!frame.ip().is_null()));
}

/// Makes the loader and the allocator set up and tear down threads.
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

/// The workers whose functions are in these frames.
fn workers_of(frames: &[Frame]) -> Vec<&'static str> {
    let is_of = |worker: &str| {
        let function = format!("::stress::{worker}");
        frames
            .iter()
            .any(|frame| name_of(frame).ends_with(&function))
    };
    let workers = WORKERS.iter().map(|(name, _)| *name);
    workers.filter(|worker| is_of(worker)).collect()
}

/// Takes the stack of each worker in turn. No stack may be another thread's, nearly all have to lead to their
/// worker, and the workers have to keep running.
fn stress(captures: usize) {
    let _turn = lines::turn();
    start();
    let mutex = Arc::new(Mutex::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = WORKERS
        .iter()
        .map(|&(name, worker)| {
            let turns = Arc::new(AtomicU64::new(0));
            let job = Job {
                mutex: Arc::clone(&mutex),
                over: Arc::clone(&over),
                turns: Arc::clone(&turns),
            };
            let (thread, number) = prepared(move || worker(&job));
            (name, turns, thread, number)
        })
        .collect();
    // Wait until all of them are at work.
    while workers
        .iter()
        .any(|worker| worker.1.load(Ordering::Relaxed) == 0)
    {
        thread::yield_now();
    }
    let (mut looked_at, mut named, mut memory) = (0, 0, 0);
    for capture in 0..captures {
        if capture == captures / 10 {
            memory = resident_kilobytes();
        }
        let (name, _, _, number) = &workers[capture % workers.len()];
        let stack = take_patiently(*number).expect("a stack");
        // This covers each worker, because the interval is no multiple of their number.
        if capture % 7 == 0 {
            let frames = names::of(&stack.addresses);
            let whose = workers_of(&frames);
            assert!(
                whose.is_empty() || whose == [*name],
                "a stack of {name} is one of {whose:?}: {frames:#?}"
            );
            looked_at += 1;
            named += usize::from(!whose.is_empty());
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
