//! Compares stacks with those that the unwinder of the program's own panics finds.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// The addresses of the calling thread's stack, as [`backtrace::trace`] finds them.
#[inline(never)]
fn traced() -> Vec<usize> {
    let mut addresses = Vec::new();
    backtrace::trace(|frame| {
        addresses.push(frame.ip().addr());
        true
    });
    // Outside of the outermost function, there is a frame without an address.
    addresses.retain(|&address| address != 0);
    addresses
}

#[inline(never)]
fn deep(depth: u32, then: &mut dyn FnMut()) {
    let room = black_box([depth; 30]);
    if depth == 0 {
        then();
    } else {
        // Inlined and generic functions of the standard library are on the stack between the calls.
        let mut calls = [2, 1];
        calls.sort_by(|one, other| {
            deep(depth - 1, then);
            one.cmp(other)
        });
    }
    black_box(room);
}

#[test]
fn a_stack_has_the_frames_that_the_programs_own_unwinder_finds() {
    start();
    let is_over = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let (thread, number) = {
        let is_over = Arc::clone(&is_over);
        prepared(move || {
            deep(20, &mut || {
                tell.send(traced()).expect("it is waited for");
                while !is_over.load(Ordering::Relaxed) {
                    black_box(traced());
                }
            });
        })
    };
    let traced = told.recv().expect("addresses");
    // The functions outside of the closure do not change.
    let names = |addresses: &[usize]| {
        let frames = names::of(addresses);
        let names: Vec<_> = frames
            .iter()
            .map(|frame| name_of(frame).to_owned())
            .collect();
        names
    };
    let outer = names(&traced)
        .iter()
        .position(|name| name.ends_with("agreement::deep"));
    let outer = outer.expect("it is there");
    assert!(traced.len() - outer > 40, "{:#?}", names(&traced));
    for _ in 0..50 {
        let taken = take_patiently(number).expect("a stack").addresses;
        // The stubs through which a library's functions are called have no tables there.
        if cfg!(target_arch = "aarch64") && taken.len() == 1 {
            continue;
        }
        let same = taken.iter().rev().zip(traced[outer..].iter().rev());
        let same = same.take_while(|(one, other)| one == other).count();
        assert_eq!(
            same,
            traced.len() - outer,
            "{:#?} has not the outer functions of {:#?}",
            names(&taken),
            names(&traced)
        );
    }
    is_over.store(true, Ordering::Relaxed);
    thread.join().expect("it goes on");
}
