//! Counters of seconds. A counter of the `metrics` crate counts whole numbers and never falls.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// How much time there is under each label, and how many seconds of it are counted.
#[derive(Debug)]
pub(super) struct Seconds<L>(HashMap<L, Sum>);

#[derive(Debug, Default)]
struct Sum {
    time: Duration,
    counted: u64,
}

impl<L> Default for Seconds<L> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<L: Eq + Hash> Seconds<L> {
    /// How many labels there are.
    pub(super) fn labels(&self) -> usize {
        self.0.len()
    }

    /// Whether the label is known.
    pub(super) fn has(&self, label: &L) -> bool {
        self.0.contains_key(label)
    }

    /// Adds time to a label. Returns by how many seconds its counter grows; what is left of a second is kept for the
    /// next time.
    pub(super) fn add(&mut self, label: L, time: Duration) -> u64 {
        let sum = self.0.entry(label).or_default();
        sum.time += time;
        let more = sum.time.as_secs().saturating_sub(sum.counted);
        sum.counted += more;
        more
    }

    /// Takes time back. If its seconds were counted already, the counter stands still until as much was added again.
    pub(super) fn take_back(&mut self, label: &L, time: Duration) {
        if let Some(sum) = self.0.get_mut(label) {
            sum.time = sum.time.saturating_sub(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_kept_and_what_is_taken_back_is_made_up_for() {
        let ms = Duration::from_millis;
        let mut seconds = Seconds::default();
        let counted: Vec<_> = [700, 200, 100, 2_950, 49, 1]
            .map(|time| seconds.add("a", ms(time)))
            .into();
        assert_eq!(counted, [0, 0, 1, 2, 0, 1]);
        assert_eq!(seconds.add("b", ms(999)), 0);
        seconds.take_back(&"a", ms(1_500));
        assert_eq!(seconds.add("a", ms(1_499)), 0);
        assert_eq!(seconds.add("a", ms(1_001)), 1);
        seconds.take_back(&"nobody", ms(1));
        assert_eq!((seconds.labels(), seconds.has(&"b")), (2, true));
    }
}
