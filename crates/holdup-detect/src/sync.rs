//! The atomics of the cell and the slots. The test under loom compiles the cell with loom's in their place.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
