//! What is due when, on a grid of time. This code reads no clock.

/// How many slots the wheel has: a power of two. Places this far apart share a slot, so an entry that
/// is due further ahead is passed over until its turn comes.
const SLOTS: usize = 2048;

/// No entry.
const NONE: u32 = u32::MAX;

/// Values that become due, each at a place on the grid: a number of steps since the clock's zero.
///
/// Adding, changing and removing an entry takes a constant time. It allocates memory only if there are
/// more entries than ever before.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    slots: Box<[Slot]>,
    /// One bit for each slot: whether it has entries.
    occupied: [u64; SLOTS / 64],
    entries: Vec<Entry<T>>,
    /// The first of the entries that are not in use, which form a chain.
    unused: u32,
    /// How many entries are in slots.
    waiting: usize,
    /// Everything that is due up to this place has been taken.
    passed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The first entry. The entries of a slot form a circle, in the order in which they were added.
    first: u32,
    /// No entry of the slot is due earlier.
    soonest: u64,
}

impl Slot {
    const EMPTY: Self = Self {
        first: NONE,
        soonest: u64::MAX,
    };
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
pub(crate) struct Key(u32);

impl<T> Wheel<T> {
    /// Creates an empty wheel. Nothing before `now` will be added.
    pub(crate) fn new(now: u64) -> Self {
        Self {
            slots: vec![Slot::EMPTY; SLOTS].into_boxed_slice(),
            occupied: [0; SLOTS / 64],
            entries: Vec::new(),
            unused: NONE,
            waiting: 0,
            passed: now,
        }
    }

    /// Passes the time up to `now` at once if there is nothing that is due before. Otherwise [`Wheel::take_due`] would
    /// go through all the time in which nothing waited.
    pub(crate) fn catch_up(&mut self, now: u64) {
        if self.waiting == 0 {
            self.passed = self.passed.max(now);
        }
    }

    /// Adds an entry. If its place has been passed, it is due at the next one.
    ///
    /// # Panics
    ///
    /// Panics when there are `u32::MAX` entries.
    pub(crate) fn add(&mut self, due: u64, value: T) -> Key {
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
    pub(crate) fn value(&mut self, key: &Key) -> Option<&mut T> {
        self.entries[key.0 as usize].value.as_mut()
    }

    /// Removes an entry. Returns its value if the entry was not due yet.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the key stands for nothing afterwards"
    )]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let Key(index) = key;
        let value = self.entries[index as usize].value.take();
        if value.is_some() {
            self.unlink(index);
        }
        self.entries[index as usize].next = self.unused;
        self.unused = index;
        value
    }

    /// The next place at which something may be due. It is not later than the first entry's. It is
    /// earlier if that one is further ahead than the wheel has slots, or if an entry was removed.
    pub(crate) fn next(&self) -> Option<u64> {
        let begin = self.passed + 1;
        let end = begin + SLOTS as u64;
        let mut place = begin;
        while self.waiting > 0 && place < end {
            let bit = slot(place) % 64;
            let ahead = self.occupied[slot(place) / 64] >> bit;
            if ahead == 0 {
                // None in the rest of this word.
                place += 64 - bit as u64;
                continue;
            }
            place += u64::from(ahead.trailing_zeros());
            if self.slots[slot(place)].soonest <= place {
                return Some(place);
            }
            place += 1;
        }
        (self.waiting > 0).then_some(self.passed + SLOTS as u64)
    }

    /// Takes what is due up to `now`, in the order in which it was due. Returns the next place at which
    /// something may be due, as [`Wheel::next`] does.
    pub(crate) fn take_due(&mut self, now: u64, taken: &mut Vec<T>) -> Option<u64> {
        loop {
            let next = self.next();
            let Some(place) = next.filter(|&place| place <= now) else {
                self.passed = self.passed.max(now);
                return next;
            };
            self.passed = place;
            self.take_at(place, taken);
        }
    }

    /// Takes what is due at `place` from its slot. What is left is due at a later turn of the wheel.
    fn take_at(&mut self, place: u64, taken: &mut Vec<T>) {
        let mut index = self.slots[slot(place)].first;
        if index == NONE {
            return;
        }
        let last = self.entries[index as usize].previous;
        let mut soonest = u64::MAX;
        loop {
            let entry = &mut self.entries[index as usize];
            let next = entry.next;
            if entry.due <= place {
                taken.extend(entry.value.take());
                self.unlink(index);
            } else {
                soonest = soonest.min(entry.due);
            }
            if index == last {
                break;
            }
            index = next;
        }
        self.slots[slot(place)].soonest = soonest;
    }

    fn link(&mut self, index: u32) {
        let due = self.entries[index as usize].due;
        let slot_of = &mut self.slots[slot(due)];
        slot_of.soonest = slot_of.soonest.min(due);
        let first = slot_of.first;
        let (previous, next) = if first == NONE {
            slot_of.first = index;
            self.occupied[slot(due) / 64] |= 1 << (slot(due) % 64);
            (index, index)
        } else {
            (self.entries[first as usize].previous, first)
        };
        let entry = &mut self.entries[index as usize];
        (entry.previous, entry.next) = (previous, next);
        self.entries[previous as usize].next = index;
        self.entries[next as usize].previous = index;
        self.waiting += 1;
    }

    fn unlink(&mut self, index: u32) {
        let Entry {
            due,
            previous,
            next,
            ..
        } = self.entries[index as usize];
        self.waiting -= 1;
        if next == index {
            self.slots[slot(due)] = Slot::EMPTY;
            self.occupied[slot(due) / 64] &= !(1 << (slot(due) % 64));
            return;
        }
        self.entries[previous as usize].next = next;
        self.entries[next as usize].previous = previous;
        let first = &mut self.slots[slot(due)].first;
        if *first == index {
            *first = next;
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
    fn an_empty_wheel_passes_any_time_at_once() {
        let mut wheel = Wheel::new(0);
        wheel.catch_up(1_000_000_000);
        wheel.add(1_000_000_007, 1);
        assert_eq!(wheel.next(), Some(1_000_000_007));
        // What waits is not passed over.
        wheel.catch_up(1_000_000_009);
        assert_eq!(taken(&mut wheel, 1_000_000_009), [(1_000_000_007, 1)]);
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
        assert_eq!(wheel.occupied, [0; SLOTS / 64]);
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
