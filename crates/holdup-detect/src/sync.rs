//! The atomics of the cell. The test under loom compiles the cell with loom's in their place.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
