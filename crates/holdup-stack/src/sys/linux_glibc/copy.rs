//! A copy of what an interrupted thread's registers and its stack hold.

use std::ops::Range;
use std::ptr;

use super::processor::Registers;

/// The most that is copied of a stack, in bytes. The outermost frames of a larger one are lost.
const LARGEST: usize = 256 * 1024;

/// A function that calls no other may use this many bytes below the stack pointer.
const BELOW: usize = 128;

/// The smallest page, in bytes. Of a page, all or nothing is mapped.
const PAGE: usize = 4096;

#[derive(Debug)]
pub(super) struct StackCopy {
    registers: Registers,
    /// The address of the first byte, and how many there are.
    start: usize,
    length: usize,
    bytes: [u8; LARGEST],
}

impl StackCopy {
    #[expect(
        clippy::large_stack_arrays,
        reason = "it is the value of a static variable and never on a stack"
    )]
    pub(super) const fn new() -> Self {
        Self {
            registers: Registers::UNKNOWN,
            start: 0,
            length: 0,
            bytes: [0; LARGEST],
        }
    }

    /// Copies the registers, and the stack from the stack pointer outwards. If the stack pointer is not within
    /// the bounds, no stack is copied. Safe in a signal handler.
    ///
    /// # Safety
    ///
    /// The bounds have to be those of the calling thread's stack, and the registers those that the thread had
    /// when it was interrupted.
    pub(super) unsafe fn fill(&mut self, registers: Registers, stack: Range<usize>) {
        self.registers = registers;
        self.length = 0;
        let pointer = registers.stack_pointer() as usize;
        if !stack.contains(&pointer) {
            return;
        }
        // Nothing below the stack pointer's own page is read, because it may be the guard of the stack.
        let page = pointer - pointer % PAGE;
        self.start = pointer.saturating_sub(BELOW).max(page).max(stack.start);
        self.length = (stack.end - self.start).min(LARGEST);
        let from: *const u8 = ptr::with_exposed_provenance(self.start);
        // SAFETY: the bytes are on the calling thread's stack, from the page of the stack pointer outwards,
        // where all of it is mapped while the thread runs. They are copied without a look at what they mean,
        // and another thread that writes some of them meanwhile only decides which value the copy has. There
        // is room for as many, and the copy is in a static variable, so it is not on the stack.
        unsafe { ptr::copy_nonoverlapping(from, self.bytes.as_mut_ptr(), self.length) };
    }

    pub(super) fn registers(&self) -> &Registers {
        &self.registers
    }

    /// The copied part of the stack; `None` if nothing could be copied.
    pub(super) fn memory(&self) -> Option<Memory<'_>> {
        (self.length > 0).then(|| Memory {
            start: self.start as u64,
            bytes: &self.bytes[..self.length],
        })
    }
}

/// Memory by its former addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory<'a> {
    start: u64,
    bytes: &'a [u8],
}

impl Memory<'_> {
    /// The word at an address, if it was copied.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let from = usize::try_from(address.checked_sub(self.start)?).ok()?;
        let bytes = self.bytes.get(from..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    }
}
