//! What is due when, on a grid of time. This code reads no clock.

/// How many slots of the grid the wheel has: a power of two. An entry that is due further ahead is in
/// its slot all the same, and is passed over until its turn comes.
const SLOTS: usize = 2048;

const WORDS: usize = SLOTS / 64;

/// No entry.
const NONE: u32 = u32::MAX;

/// Values that become due, each at a place on the grid: a number of steps since the clock's zero.
///
/// Adding, changing and removing an entry takes a constant time. Only a larger number of entries
/// than ever before allocates memory.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    /// The first entry of each slot. The entries of a slot form a circle, in the order in which they
    /// were added.
    first: Box<[u32; SLOTS]>,
    /// One bit for each slot: whether it has entries.
    occupied: [u64; WORDS],
    entries: Vec<Entry<T>>,
    /// The first of the entries that are not in use, which form a chain.
    unused: u32,
    /// Everything that is due up to this place has been taken.
    passed: u64,
}

#[derive(Debug)]
struct Entry<T> {
    due: u64,
    previous: u32,
    next: u32,
    /// `None` once the entry was due, and while it is not in use.
    value: Option<T>,
}

/// An entry of a wheel. It remains the caller's, even when it was due, until it is removed.
#[derive(Debug)]
pub(super) struct Key(u32);

impl<T> Wheel<T> {
    /// Creates an empty wheel. Nothing before `now` will be added.
    pub(super) fn new(now: u64) -> Self {
        Self {
            first: Box::new([NONE; SLOTS]),
            occupied: [0; WORDS],
            entries: Vec::new(),
            unused: NONE,
            passed: now,
        }
    }

    /// Adds an entry. If its place has been passed, it is due at the next one.
    ///
    /// # Panics
    ///
    /// Panics when there are `u32::MAX` entries.
    pub(super) fn add(&mut self, due: u64, value: T) -> Key {
        let entry = Entry {
            due: due.max(self.passed + 1),
            previous: NONE,
            next: NONE,
            value: Some(value),
        };
        let index = if self.unused == NONE {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("the entries fit into memory")
        } else {
            let index = self.unused;
            self.unused = self.entries[index as usize].next;
            self.entries[index as usize] = entry;
            index
        };
        self.link(index);
        Key(index)
    }

    /// The value of an entry, or `None` once the entry was due.
    pub(super) fn value(&mut self, key: &Key) -> Option<&mut T> {
        self.entries[key.0 as usize].value.as_mut()
    }

    /// Removes an entry. Returns its value if the entry was not due yet.
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let Key(index) = key;
        let value = self.entries[index as usize].value.take();
        if value.is_some() {
            self.unlink(index);
        }
        self.entries[index as usize].next = self.unused;
        self.unused = index;
        value
    }

    /// The next place at which something may be due. It is not later than the first entry's, and
    /// earlier only if that is further ahead than the wheel has slots.
    pub(super) fn next(&self) -> Option<u64> {
        let begin = slot(self.passed + 1);
        // The first word is looked at twice: from the slot on, and at the end up to it.
        (0..=WORDS).find_map(|turn| {
            let word = (begin / 64 + turn) % WORDS;
            let mask = u64::MAX << (begin % 64);
            let bits = match turn {
                0 => self.occupied[word] & mask,
                WORDS => self.occupied[word] & !mask,
                _ => self.occupied[word],
            };
            let found = (bits > 0).then(|| word * 64 + bits.trailing_zeros() as usize)?;
            let ahead = (found + SLOTS - begin) % SLOTS;
            Some(self.passed + 1 + ahead as u64)
        })
    }

    /// Takes what is due up to `now`, in the order in which it was due.
    pub(super) fn take_due(&mut self, now: u64, taken: &mut Vec<T>) {
        while let Some(place) = self.next().filter(|&place| place <= now) {
            self.passed = place;
            let mut index = self.first[slot(place)];
            let last = self.entries[index as usize].previous;
            loop {
                let next = self.entries[index as usize].next;
                if self.entries[index as usize].due <= place {
                    taken.extend(self.entries[index as usize].value.take());
                    self.unlink(index);
                }
                if index == last {
                    break;
                }
                index = next;
            }
        }
        self.passed = self.passed.max(now);
    }

    fn link(&mut self, index: u32) {
        let slot = slot(self.entries[index as usize].due);
        let first = self.first[slot];
        let (previous, next) = if first == NONE {
            self.first[slot] = index;
            self.occupied[slot / 64] |= 1 << (slot % 64);
            (index, index)
        } else {
            (self.entries[first as usize].previous, first)
        };
        let entry = &mut self.entries[index as usize];
        (entry.previous, entry.next) = (previous, next);
        self.entries[previous as usize].next = index;
        self.entries[next as usize].previous = index;
    }

    fn unlink(&mut self, index: u32) {
        let Entry {
            due,
            previous,
            next,
            ..
        } = self.entries[index as usize];
        let slot = slot(due);
        if next == index {
            self.first[slot] = NONE;
            self.occupied[slot / 64] &= !(1 << (slot % 64));
            return;
        }
        self.entries[previous as usize].next = next;
        self.entries[next as usize].previous = previous;
        if self.first[slot] == index {
            self.first[slot] = next;
        }
    }
}

fn slot(place: u64) -> usize {
    (place % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that is taken until `until`, with the place at which it is taken, if the wheel is
    /// asked at each place that it names.
    fn taken(wheel: &mut Wheel<u64>, until: u64) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        while let Some(place) = wheel.next().filter(|&place| place <= until) {
            let mut due = Vec::new();
            wheel.take_due(place, &mut due);
            all.extend(due.into_iter().map(|value| (place, value)));
        }
        all
    }

    #[test]
    fn entries_are_taken_at_their_places_in_the_order_in_which_they_were_added() {
        let mut wheel = Wheel::new(1000);
        for (due, value) in [(1300, 1), (1001, 2), (1300, 3), (1070, 4)] {
            wheel.add(due, value);
        }
        let expected = [(1001, 2), (1070, 4), (1300, 1), (1300, 3)];
        assert_eq!(taken(&mut wheel, 1300), expected);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn after_a_long_pause_everything_is_taken_in_the_order_in_which_it_was_due() {
        let mut wheel = Wheel::new(0);
        let slots = SLOTS as u64;
        for due in [3 * slots + 5, 7, slots + 6, 2 * slots, 8] {
            wheel.add(due, due);
        }
        let mut due = Vec::new();
        wheel.take_due(3 * slots + 4, &mut due);
        assert_eq!(due, [7, 8, slots + 6, 2 * slots]);
        due.clear();
        wheel.take_due(3 * slots + 5, &mut due);
        assert_eq!(due, [3 * slots + 5]);
    }

    #[test]
    fn an_entry_that_is_far_ahead_is_passed_over_until_its_turn() {
        let mut wheel = Wheel::new(3);
        let far = 1_000_000_007;
        wheel.add(far, 1);
        let (mut turns, mut due) = (0, Vec::new());
        while due.is_empty() {
            let place = wheel.next().expect("the entry is there");
            assert!(place <= far);
            wheel.take_due(place, &mut due);
            turns += 1;
        }
        assert_eq!(wheel.passed, far);
        assert!(turns <= far / SLOTS as u64 + 1, "{turns}");
    }

    #[test]
    fn an_entry_whose_place_was_passed_is_due_at_the_next() {
        let mut wheel = Wheel::new(500);
        wheel.add(20, 1);
        assert_eq!(wheel.next(), Some(501));
        assert_eq!(taken(&mut wheel, 501), [(501, 1)]);
    }

    #[test]
    fn what_was_removed_is_not_taken_and_its_memory_is_used_again() {
        let mut wheel = Wheel::new(0);
        for round in 0..100 {
            let keys: Vec<_> = (0..10).map(|n| wheel.add(round + 9, n)).collect();
            for (n, key) in keys.into_iter().enumerate() {
                if n % 2 == 0 {
                    assert_eq!(wheel.remove(key), Some(n as u64));
                } else {
                    std::mem::forget(key);
                }
            }
            let left: Vec<_> = taken(&mut wheel, round + 9);
            let values: Vec<_> = left.iter().map(|&(_, value)| value).collect();
            assert_eq!(values, [1, 3, 5, 7, 9]);
            // The caller gives back the entries that were due, too.
            for index in 0..wheel.entries.len() as u32 {
                let key = Key(index);
                if !chain(&wheel).contains(&index) {
                    assert_eq!(wheel.value(&key), None);
                    assert_eq!(wheel.remove(key), None);
                }
            }
        }
        assert_eq!(wheel.entries.len(), 10);
        assert_eq!(wheel.next(), None);
        assert_eq!(wheel.occupied, [0; WORDS]);
    }

    fn chain(wheel: &Wheel<u64>) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut index = wheel.unused;
        while index != NONE {
            chain.push(index);
            index = wheel.entries[index as usize].next;
        }
        chain
    }

    proptest::proptest! {
        /// The wheel does what a sorted list does.
        #[test]
        fn it_is_like_a_sorted_list(
            steps in proptest::collection::vec((0_u8..3, 1_u64..6000), 1..400),
        ) {
            let (mut wheel, mut now) = (Wheel::new(0), 0);
            let mut keys = Vec::new();
            let mut list: Vec<(u64, u64)> = Vec::new();
            for (number, (what, amount)) in (0..).zip(steps) {
                match what {
                    0 => {
                        keys.push((number, wheel.add(now + amount, number)));
                        list.push((now + amount, number));
                    }
                    1 if !keys.is_empty() => {
                        let at = usize::try_from(amount).expect("small") % keys.len();
                        let (number, key) = keys.swap_remove(at);
                        let at = list.iter().position(|&(_, other)| other == number);
                        let expected = at.map(|at| list.remove(at).1);
                        proptest::prop_assert_eq!(wheel.remove(key), expected);
                    }
                    _ => {
                        now += amount;
                        let mut due = Vec::new();
                        wheel.take_due(now, &mut due);
                        list.sort_by_key(|&(place, _)| place);
                        let count = list.partition_point(|&(place, _)| place <= now);
                        let expected: Vec<_> = list.drain(..count).map(|(_, number)| number).collect();
                        proptest::prop_assert_eq!(due, expected);
                    }
                }
            }
        }
    }
}
