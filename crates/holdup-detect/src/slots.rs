//! All slots of one worker. The worker adds slots and never removes one; other threads read them, and none waits.

use std::sync::{Arc, OnceLock};

use crate::slot::Slot;

/// The size of the first block of slots. Each further block is twice as large as the one before.
const FIRST: usize = 64;

/// How many blocks there can be: enough for 64 × (2^20 − 1) open requests.
const BLOCKS: usize = 20;

type Block = Box<[OnceLock<Arc<Slot>>]>;

#[derive(Debug, Default)]
pub(crate) struct Slots([OnceLock<Block>; BLOCKS]);

impl Slots {
    /// Adds a slot as the one with this index. The worker counts them from 0. A slot for which there is no room is
    /// not found by other threads.
    pub(crate) fn add(&self, index: usize, slot: &Arc<Slot>) {
        let (block, place) = place(index);
        if let Some(block) = self.0.get(block) {
            let block = block.get_or_init(|| {
                let size = FIRST << block_number(index);
                (0..size).map(|_| OnceLock::new()).collect()
            });
            block[place].set(Arc::clone(slot)).ok();
        }
    }

    /// The slots, in the order in which they were added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Slot>> {
        let blocks = self.0.iter().map_while(OnceLock::get);
        let slots = blocks.flat_map(|block| block.iter());
        slots.map_while(OnceLock::get)
    }
}

fn block_number(index: usize) -> usize {
    (index / FIRST + 1).ilog2() as usize
}

/// The number of the block, and the place in it.
fn place(index: usize) -> (usize, usize) {
    let block = block_number(index);
    let before = FIRST * ((1 << block) - 1);
    (block, index - before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_has_a_place_of_its_own() {
        let mut next = (0, 0);
        for index in 0..10_000 {
            assert_eq!(place(index), next, "{index}");
            next.1 += 1;
            if next.1 == FIRST << next.0 {
                next = (next.0 + 1, 0);
            }
        }
    }
}
