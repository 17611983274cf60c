//! Where no stack is taken.

use super::Stack;
use super::reading::{self, Reading};

pub(super) fn prepare() -> Result<(), String> {
    Err("it needs Linux with glibc, on x86_64 or aarch64".to_owned())
}

pub(super) fn prepare_thread() {}

pub fn take(_: Option<u32>) -> Result<Stack, ()> {
    Err(())
}

pub fn rest(_: u64) {}

pub(super) fn read(_: &[usize]) -> Reading {
    reading::read(&[])
}

pub(super) fn is_quick(_: &[usize]) -> bool {
    true
}
