//! Takes stacks of threads that are in the middle of operations that a signal handler must not touch.

use std::hint::black_box;
use std::panic::{catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::*;
use crate as lines;
use crate::frame::Frame;

/// Starts the crate once for all tests of this program, as an app does for all its watches.
fn start() {
    lines::start();
    assert_eq!(lines::off(), None);
}

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
    let names = frames.iter().filter_map(|frame| frame.name.as_deref());
    let names: Vec<_> = names.collect();
    let is_of = |worker: &str| {
        let function = format!("::tests::{worker}");
        names.iter().any(|name| name.ends_with(&function))
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
            let (tell, told) = std::sync::mpsc::channel();
            let thread = thread::spawn(move || {
                lines::prepare_thread();
                tell.send(system::thread_number())
                    .expect("it is waited for");
                worker(&job);
            });
            (name, turns, thread, told.recv().expect("a number"))
        })
        .collect();
    // Wait until all of them are at work.
    while workers
        .iter()
        .any(|worker| worker.1.load(Ordering::Relaxed) == 0)
    {
        thread::yield_now();
    }
    let (mut taken, mut looked_at, mut named, mut memory) = (0, 0, 0, 0);
    for capture in 0..captures {
        if capture == captures / 10 {
            memory = resident_kilobytes();
        }
        let (name, _, _, number) = &workers[capture % workers.len()];
        // On a busy machine, a thread may not be scheduled in time.
        let stack = (0..10).find_map(|_| take(*number).ok());
        let Some(stack) = stack else { continue };
        taken += 1;
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
        taken * 10 >= captures * 9,
        "{taken} of {captures} were taken"
    );
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
    assert_eq!(take(number).err(), Some(TakeError::Gone));
}

#[test]
fn line_tables_that_were_let_go_are_read_anew() {
    let _turn = lines::turn();
    start();
    lines::prepare_thread();
    let stack = take(system::thread_number()).expect("its own");
    let before = names::look_up(stack.addresses[0]);
    assert!(before[0].line.is_some(), "{before:?}");
    rest(u64::MAX);
    assert_eq!(names::look_up(stack.addresses[0]), before);
}

/// Runs one of this module's tests that are ignored, in a process of its own: what may crash takes only
/// that with it.
fn run_alone(test: &str) {
    let program = std::env::current_exe().expect("this program");
    let path = module_path!().split_once("::").expect("a path").1;
    let mut alone = Command::new(program);
    alone.args(["--ignored", "--exact", "--nocapture"]);
    let output = alone.arg(format!("{path}::{test}")).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{:?}: {said}{complained}",
        output.status
    );
    assert!(said.contains("1 passed"), "{said}");
}

/// Where the mapping begins that has this address: of a thread's stack, where its guard ends.
fn mapping_begins(address: usize) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux has it");
    let range = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some((number(start)?, number(end)?))
    };
    let mut ranges = maps.lines().filter_map(range);
    let found = ranges.find(|(start, end)| (*start..*end).contains(&address));
    found.expect("it is mapped").0
}

/// Calls that with so few bytes left on the stack.
#[inline(never)]
fn with_room(left: usize, begins: usize, then: &mut dyn FnMut()) {
    let here = black_box([0_u8; 256]);
    if here.as_ptr().addr() - begins > left {
        with_room(left, begins, then);
    } else {
        then();
    }
    black_box(here);
}

/// A thread with so few bytes left on its stack, which waits until it is told to go on.
fn with_a_thread_that_has(left: usize, act: impl FnOnce(u32)) {
    let waits = Arc::new(AtomicBool::new(true));
    let (tell, told) = std::sync::mpsc::channel();
    let thread = {
        let waits = Arc::clone(&waits);
        thread::spawn(move || {
            lines::prepare_thread();
            let number = system::thread_number();
            let begins = mapping_begins((&raw const number).addr());
            let is_there = Arc::new(AtomicBool::new(false));
            let telling = {
                let is_there = Arc::clone(&is_there);
                thread::spawn(move || {
                    while !is_there.load(Ordering::Relaxed) {
                        thread::park_timeout(Duration::from_millis(1));
                    }
                    tell.send(number).expect("it is waited for");
                })
            };
            with_room(left, begins, &mut || {
                is_there.store(true, Ordering::Relaxed);
                while waits.load(Ordering::Relaxed) {
                    thread::park_timeout(Duration::from_millis(5));
                }
            });
            telling.join().expect("it ends");
        })
    };
    act(told.recv().expect("a number"));
    waits.store(false, Ordering::Relaxed);
    thread.join().expect("it goes on");
}

#[test]
#[ignore = "run by the one after it, as it may crash"]
fn alone_with_a_full_stack() {
    start();
    for left in [2048, 4096, 8192, 16_384, 65_536] {
        with_a_thread_that_has(left, |number| {
            let stack = (0..20).find_map(|_| take(number).ok()).expect("a stack");
            let frames = names::of(&stack.addresses);
            let is_there = |frame: &Frame| {
                frame
                    .name
                    .as_deref()
                    .is_some_and(|name| name.contains("with_room"))
            };
            assert!(frames.iter().any(is_there), "{left}: {frames:?}");
        });
    }
}

#[test]
fn a_thread_whose_stack_is_nearly_full_is_looked_at_and_goes_on() {
    run_alone("alone_with_a_full_stack");
}

/// A thread that has been given another stack for handlers since, too small to walk on.
#[test]
fn a_thread_with_a_small_stack_for_handlers_is_not_walked_and_goes_on() {
    start();
    let (tell, told) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        lines::prepare_thread();
        let mut small = vec![0_u8; 14 * 1024];
        let mut stack = |ss_flags| libc::stack_t {
            ss_sp: small.as_mut_ptr().cast(),
            ss_flags,
            ss_size: small.len(),
        };
        let [set, unset] = [0, libc::SS_DISABLE].map(&mut stack);
        // SAFETY: it lives until it is taken away again.
        let failed = unsafe { libc::sigaltstack(&raw const set, std::ptr::null_mut()) };
        assert_eq!(failed, 0);
        tell.send(system::thread_number())
            .expect("it is waited for");
        ended.recv().expect("it is told");
        // SAFETY: the thread is on its own stack.
        let failed = unsafe { libc::sigaltstack(&raw const unset, std::ptr::null_mut()) };
        assert_eq!(failed, 0);
    });
    let number = told.recv().expect("a number");
    assert_eq!(take(number).err(), Some(TakeError::Empty));
    end.send(()).expect("it waits");
    thread.join().expect("it goes on");
}

#[cfg(target_arch = "x86_64")]
mod wrong_tables {
    use super::*;

    // Waits until the byte at its first argument is not 0. Its tables say that its caller's part of the
    // stack is where its second argument points to.
    std::arch::global_asm!(
        ".globl holdup_test_lost",
        ".type holdup_test_lost, @function",
        "holdup_test_lost:",
        ".cfi_startproc",
        "push rbx",
        "mov rbx, rsi",
        ".cfi_def_cfa rbx, 32",
        ".cfi_offset rbx, -32",
        "2: pause",
        "cmp byte ptr [rdi], 0",
        "je 2b",
        "pop rbx",
        "ret",
        ".cfi_endproc",
        ".size holdup_test_lost, . - holdup_test_lost",
    );

    unsafe extern "C" {
        fn holdup_test_lost(is_over: *const AtomicBool, caller: *const [usize; 4]);
    }

    /// An address at which nothing is ever mapped.
    const NOWHERE: usize = 16;

    #[test]
    #[ignore = "run by the one after it, as it may crash"]
    fn alone() {
        start();
        let is_over = Arc::new(AtomicBool::new(false));
        let (tell, told) = std::sync::mpsc::channel();
        let thread = {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                lines::prepare_thread();
                // As a saved register and a return address: to the function itself, whose caller's part
                // of the stack is then nowhere.
                let own = holdup_test_lost as *const () as usize + 5;
                let caller = Box::new([NOWHERE, 0, 0, own]);
                tell.send(system::thread_number())
                    .expect("it is waited for");
                // SAFETY: it reads the byte, which lives until after, and keeps the calling convention.
                unsafe { holdup_test_lost(Arc::as_ptr(&is_over), &raw const *caller) };
            })
        };
        let number = told.recv().expect("a number");
        let is_lost = |address: usize| {
            let frames = names::look_up(address);
            frames[0].name.as_deref() == Some("holdup_test_lost")
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        let stack = loop {
            assert!(std::time::Instant::now() < deadline, "it is never there");
            if let Ok(stack) = take(number)
                && is_lost(stack.addresses[0])
            {
                break stack;
            }
        };
        assert_eq!(
            stack.addresses.len(),
            1,
            "where the tables lead is no stack"
        );
        is_over.store(true, Ordering::Relaxed);
        thread.join().expect("it goes on");
    }

    #[test]
    fn a_walk_ends_where_tables_lead_off_the_stack() {
        run_alone("wrong_tables::alone");
    }
}
