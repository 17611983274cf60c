//! All slots of one worker, so that other threads find them. The worker puts slots in and takes them out, and never
//! waits for a reader.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use crate::slot::Slot;

/// The size of the first block of places. Each further block is twice as large as the one before.
const FIRST: usize = 64;

/// How many blocks there can be: enough for 64 × (2^20 − 1) open requests.
const BLOCKS: usize = 20;

/// The lock is held only for as long as it takes to copy the reference. The reference is weak, because the slot has one
/// to its worker, which has this list.
type Place = Mutex<Weak<Slot>>;

#[derive(Debug, Default)]
pub(crate) struct Slots {
    blocks: [OnceLock<Box<[Place]>>; BLOCKS],
    /// How many places have been used. Readers look at no others.
    used: AtomicUsize,
}

impl Slots {
    // Called by the worker.

    /// Puts a slot into a place, instead of what was there. Places are counted from 0, and one may be used after the
    /// one before it. Returns false, and does nothing, if somebody is reading that place at the moment, which cannot
    /// be if it was never used, or if there are no more places.
    pub(crate) fn put(&self, place: usize, slot: &Arc<Slot>) -> bool {
        if !self.change(place, Arc::downgrade(slot)) {
            return false;
        }
        let used = self.used.load(Ordering::Relaxed).max(place + 1);
        self.used.store(used, Ordering::Release);
        true
    }

    /// Takes the slot out of a place, unless somebody is reading the place at the moment.
    pub(crate) fn clear(&self, place: usize) {
        self.change(place, Weak::new());
    }

    fn change(&self, place: usize, slot: Weak<Slot>) -> bool {
        let (number, index) = block_and_index(place);
        let Some(block) = self.blocks.get(number) else {
            return false;
        };
        let block = block.get_or_init(|| (0..FIRST << number).map(|_| Place::default()).collect());
        let Ok(mut found) = block[index].try_lock() else {
            return false;
        };
        *found = slot;
        true
    }

    // Called by other threads.

    /// The slots that are in use, or were a moment ago.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Arc<Slot>> {
        let used = self.used.load(Ordering::Acquire);
        let blocks = self.blocks.iter().map_while(OnceLock::get);
        let places = blocks.flat_map(|block| block.iter()).take(used);
        places.filter_map(|place| {
            let slot = place.lock().unwrap_or_else(PoisonError::into_inner);
            slot.upgrade()
        })
    }
}

fn block_and_index(place: usize) -> (usize, usize) {
    let block = (place / FIRST + 1).ilog2() as usize;
    let before = FIRST * ((1 << block) - 1);
    (block, place - before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_an_index_of_its_own() {
        let mut next = (0, 0);
        for place in 0..10_000 {
            assert_eq!(block_and_index(place), next, "{place}");
            next.1 += 1;
            if next.1 == FIRST << next.0 {
                next = (next.0 + 1, 0);
            }
        }
    }
}
