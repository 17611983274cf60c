//! Walks where the unwind tables are wrong.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::sys::linux_glibc::copy::StackCopy;
use crate::sys::linux_glibc::walk::{DEPTH, Module, walk};

/// The tables of this program, from their header on, and the address of that.
fn tables() -> (u64, Vec<u8>) {
    let (mut at, mut bytes) = (0, Vec::new());
    tables::find(tables as *const () as u64, &mut |module| {
        let all = (module.bytes)(module.header_at).expect("tables");
        (at, bytes) = (module.header_at, all.to_vec());
    });
    (at, bytes)
}

/// Numbers without a pattern, always the same ones.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn garbled_tables_lead_to_shorter_or_wrong_stacks_and_nothing_else() {
    start();
    let is_over = Arc::new(AtomicBool::new(false));
    let (thread, number) = {
        let is_over = Arc::clone(&is_over);
        prepared(move || {
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        })
    };
    let (at, right) = tables();
    // The second word of the header says how far it is from there to the tables.
    let distance = right[4..8].first_chunk().expect("four bytes");
    let begin = usize::try_from(i32::from_le_bytes(*distance)).expect("they follow") + 4;
    let mut numbers = Numbers(88_172_645_463_325_252);
    let mut walks = |copy: &StackCopy| {
        let memory = copy.memory()?;
        let length_with = |bytes: &[u8]| {
            let looked_up = Cell::new(0);
            let find = |_: u64, found: &mut dyn FnMut(&Module<'_>)| {
                looked_up.set(looked_up.get() + 1);
                let bytes =
                    |address: u64| bytes.get(usize::try_from(address.checked_sub(at)?).ok()?..);
                found(&Module {
                    header_at: at,
                    bytes: &bytes,
                });
            };
            let length = walk(copy.registers(), memory, &find).len();
            assert!((1..=DEPTH).contains(&length), "{length}");
            assert!(looked_up.get() <= DEPTH, "{looked_up:?}");
            length
        };
        let mut lengths = vec![length_with(&right)];
        let mut garbled = right.clone();
        for each in [1024, 256, 64, 16, 4].repeat(2) {
            garbled.copy_from_slice(&right);
            let mut place = begin;
            while place < garbled.len() {
                garbled[place] = numbers.next() as u8;
                place += 1 + usize::try_from(numbers.next() % each).expect("it is small");
            }
            lengths.push(length_with(&garbled));
        }
        Some(lengths)
    };
    // Until the thread is interrupted in this program's own code, and not in the C library's.
    let deadline = Instant::now() + Duration::from_secs(60);
    let lengths = loop {
        assert!(Instant::now() < deadline, "it is never there");
        let lengths = signal::ask(number, |copy, _| walks(copy));
        if let Ok(Some(lengths)) = lengths
            && lengths[0] > 1
        {
            break lengths;
        }
    };
    is_over.store(true, Ordering::Relaxed);
    thread.join().expect("it goes on");
    assert!(lengths[1..].iter().any(|&length| length > 1), "{lengths:?}");
}

/// A function whose tables say that its caller's part of the stack is elsewhere.
#[cfg(target_arch = "x86_64")]
mod lost {
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

    /// The number of frames of a thread in that function, which believes `caller` of its caller.
    fn frames_with(caller: impl FnOnce() -> *const [usize; 4] + Send + 'static) -> usize {
        start();
        let is_over = Arc::new(AtomicBool::new(false));
        let (thread, number) = {
            let is_over = Arc::clone(&is_over);
            prepared(move || {
                // SAFETY: it reads the byte, which lives until after, and keeps the calling convention.
                unsafe { holdup_test_lost(Arc::as_ptr(&is_over), caller()) };
            })
        };
        let is_lost = |address: usize| name_of(&names::look_up(address)[0]) == "holdup_test_lost";
        let deadline = Instant::now() + Duration::from_secs(30);
        let stack = loop {
            assert!(Instant::now() < deadline, "it is never there");
            if let Ok(stack) = take(number)
                && is_lost(stack.addresses[0])
            {
                break stack;
            }
        };
        is_over.store(true, Ordering::Relaxed);
        thread.join().expect("it goes on");
        stack.addresses.len()
    }

    #[test]
    fn a_walk_ends_where_tables_lead_off_the_stack() {
        assert_eq!(frames_with(|| std::ptr::without_provenance(NOWHERE)), 1);
        assert_eq!(frames_with(|| std::ptr::without_provenance(usize::MAX)), 1);
        // The return address is right, but not on the stack.
        let own = holdup_test_lost as *const () as usize + 5;
        assert_eq!(
            frames_with(move || Box::leak(Box::new([NOWHERE, 0, 0, own]))),
            1
        );
    }
}
