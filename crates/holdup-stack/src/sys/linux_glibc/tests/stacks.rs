//! Threads that have little left of a stack, or are on another one.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

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
    for left in [8192, 16_384, 65_536] {
        with_a_thread_that_has(left, |number| {
            let stack = take_patiently(number).expect("a stack");
            let frames = names::of(&stack.addresses);
            let is_there = |frame: &Frame| name_of(frame).contains("with_room");
            assert!(frames.iter().any(is_there), "{left}: {frames:?}");
        });
    }
    // The first page may be the guard, and what is there is not copied.
    with_a_thread_that_has(2048, |number| {
        assert_eq!(take_patiently(number).err(), Some(TakeError::Empty));
    });
}

#[test]
fn a_thread_whose_stack_is_nearly_full_is_looked_at_and_goes_on() {
    run_alone("alone_with_a_full_stack");
}

/// The least that the system takes for a signal handler's stack, which is what the registers need.
fn least() -> usize {
    // SAFETY: the call takes a number and only returns one: 0 on a system that does not tell.
    let least = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) };
    usize::try_from(least)
        .expect("it fits")
        .max(libc::MINSIGSTKSZ)
}

/// Takes the stack of a thread that has been given another stack for handlers since, with so many bytes more than
/// the least.
fn take_with_handlers_stack(more: usize) -> Result<Taken, TakeError> {
    const UNTOUCHED: u8 = 0xa5;
    let size = least() + more;
    let below = 64 * 1024;
    let (end, ended) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let (thread, number) = prepared(move || {
        let mut small = vec![UNTOUCHED; below + size];
        let mut stack = |ss_flags| libc::stack_t {
            ss_sp: small[below..].as_mut_ptr().cast(),
            ss_flags,
            ss_size: size,
        };
        let [set, unset] = [0, libc::SS_DISABLE].map(&mut stack);
        // SAFETY: it lives until it is taken away again.
        let failed = unsafe { libc::sigaltstack(&raw const set, std::ptr::null_mut()) };
        assert_eq!(failed, 0);
        tell.send(()).expect("it is waited for");
        ended.recv().expect("it is told");
        // SAFETY: the thread is on its own stack.
        let failed = unsafe { libc::sigaltstack(&raw const unset, std::ptr::null_mut()) };
        assert_eq!(failed, 0);
        let touched = small[..below].iter().any(|&byte| byte != UNTOUCHED);
        assert!(!touched, "the handler ran over the end of {size} bytes");
    });
    told.recv().expect("it is told");
    let taken = take_patiently(number);
    end.send(()).expect("it waits");
    thread.join().expect("it goes on");
    taken
}

#[test]
fn a_thread_with_a_small_stack_for_handlers_goes_on() {
    start();
    let taken = take_with_handlers_stack(2 * 1024);
    assert_eq!(taken.err(), Some(TakeError::Empty), "it is too small");
    for more in [4, 5, 6, 7, 8, 9, 10] {
        take_with_handlers_stack(more * 1024).ok();
    }
    assert!(take_with_handlers_stack(16 * 1024).is_ok());
}

/// As code that makes stacks of its own does.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_thread_on_another_stack_than_its_own_is_not_copied_and_goes_on() {
    start();
    let [is_there, is_over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (thread, number) = {
        let [is_there, is_over] = [&is_there, &is_over].map(Arc::clone);
        prepared(move || {
            let mut other = vec![0_u8; 64 * 1024];
            // SAFETY: the code has a stack until it is back on its own, writes one byte and reads another,
            // and both live until after.
            unsafe {
                std::arch::asm!(
                    "mov r12, rsp",
                    "mov rsp, {other}",
                    "mov byte ptr [{is_there}], 1",
                    "2: pause",
                    "cmp byte ptr [{is_over}], 0",
                    "je 2b",
                    "mov rsp, r12",
                    other = in(reg) other.as_mut_ptr_range().end,
                    is_there = in(reg) is_there.as_ptr(),
                    is_over = in(reg) is_over.as_ptr(),
                    out("r12") _,
                );
            }
        })
    };
    while !is_there.load(Ordering::Relaxed) {
        thread::yield_now();
    }
    assert_eq!(take_patiently(number).err(), Some(TakeError::Empty));
    is_over.store(true, Ordering::Relaxed);
    thread.join().expect("it goes on");
}
