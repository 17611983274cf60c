//! The functions and lines that addresses stand for, from the program's symbols and line tables.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use backtrace::SymbolName;

use super::{inlined, symbols};
use crate::frame::Frame;
use crate::system;

/// The most addresses that are cached. The stacks of one program share most of their addresses.
const REMEMBERED: usize = 8192;

/// Line tables that were not used for this long, in nanoseconds, are released, because they take tens of
/// megabytes. They are not released sooner: holds often come in quick succession, and reading the tables
/// again takes as long as the first time.
const KEPT: u64 = 10_000_000_000;

/// When the line tables were last used; 0 while they are not in memory.
static NEEDED: AtomicU64 = AtomicU64::new(0);

/// The frames of the addresses that were looked up.
static KNOWN: Mutex<Option<HashMap<usize, Arc<[Frame]>>>> = Mutex::new(None);

/// The frames of a stack, the innermost first. An address has several frames where functions were inlined,
/// and one frame without a name where nothing is known.
pub(super) fn of(addresses: &[usize]) -> Vec<Frame> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if known.len() > REMEMBERED {
        known.clear();
    }
    let frames = |&address: &usize| {
        let frames = known.entry(address).or_insert_with(|| look_up(address));
        Arc::clone(frames)
    };
    let frames: Vec<_> = addresses.iter().map(frames).collect();
    frames.iter().flat_map(|frames| frames.to_vec()).collect()
}

/// Whether the frames of a stack are found without reading the line tables first.
pub(super) fn are_at_hand(addresses: &[usize]) -> bool {
    let are_known = || {
        let known = KNOWN.try_lock().ok()?;
        let known = known.as_ref()?;
        Some(addresses.iter().all(|address| known.contains_key(address)))
    };
    NEEDED.load(Ordering::Relaxed) > 0 || are_known().unwrap_or(false)
}

pub(super) fn look_up(address: usize) -> Arc<[Frame]> {
    let mut frames = Vec::new();
    let address: *mut c_void = ptr::without_provenance_mut(address);
    // The `backtrace` crate takes its own lock here. A worker that resolves a backtrace itself may wait for
    // it.
    backtrace::resolve(address, |symbol| {
        frames.push(Frame {
            name: symbol.name().map(|name| format!("{name:#}")),
            file: symbol.filename().map(|file| file.display().to_string()),
            line: symbol.lineno(),
            in_source: None,
        });
    });
    NEEDED.store(system::now(), Ordering::Relaxed);
    // Line tables have short names only. The symbol has the full name of the last function, which is not
    // inlined.
    let is_short = |frame: &Frame| {
        let name = frame.name.as_ref();
        frame.is_rust() && !name.is_some_and(|name| name.contains("::"))
    };
    if let Some(frame) = frames.last_mut().filter(|frame| is_short(frame))
        && let Some(symbol) = symbols::symbol(address.addr())
    {
        frame.name = Some(format!("{:#}", SymbolName::new(symbol.as_bytes())));
    }
    for frame in &mut frames {
        inlined::complete(frame);
    }
    if frames.is_empty() {
        frames.push(Frame::default());
    }
    frames.into()
}

/// Releases the line tables if they were not used for a while before `now`.
pub(crate) fn rest(now: u64) {
    let needed = NEEDED.load(Ordering::Relaxed);
    let is_over = needed > 0 && now.saturating_sub(needed) > KEPT;
    // Only one of several callers does this, and not if the tables have just been used.
    if is_over
        && NEEDED
            .compare_exchange(needed, 0, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    {
        backtrace::clear_symbol_cache();
    }
}

/// Whether a stack of this crate contains no Rust function's name.
pub(super) fn are_stripped(addresses: &[usize]) -> bool {
    let is_rust = |frame: &Frame| {
        frame
            .name
            .as_deref()
            .is_some_and(|name| name.contains("::"))
    };
    // The frames are looked up one by one, because the first known name settles it.
    !addresses
        .iter()
        .any(|address| of(&[*address]).iter().any(is_rust))
}
