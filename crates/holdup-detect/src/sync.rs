//! What the states are made of that one thread writes and others read. The tests under loom compile them with loom's
//! types in their place.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering, fence};
pub(crate) use std::thread::yield_now;

pub(crate) use futures_util::task::AtomicWaker;
