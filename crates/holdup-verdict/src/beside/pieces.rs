//! The times in which B got no answer while A ran, added up. A handler that blocks its event loop in several pieces,
//! with awaits between them, lets some of B's requests through after each piece.

use std::time::Duration;

use super::silence::Silence;

/// A time without an answer is a piece if it is at least this long. Threads that share a core take turns of some
/// milliseconds (Python's lock: 5 ms; Go: 10 ms), so B gets an answer in between.
const PIECE: Duration = Duration::from_millis(25);

/// The times in which B was asked and nothing was answered while A ran, without those that are short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pieces {
    /// How many there were.
    pub count: usize,
    /// How long they were together.
    pub silent: Duration,
    /// Half of that time was in pieces that are at least so long.
    pub length: Duration,
}

impl Pieces {
    /// The pieces of these silences between `start` and `end`. One that is no longer than `noise` is none: B alone is
    /// sometimes answered as late.
    pub(super) fn of(
        silences: &[Silence],
        start: Duration,
        end: Duration,
        noise: Option<Duration>,
    ) -> Self {
        let least = PIECE.max(noise.unwrap_or_default());
        let lengths = silences.iter().map(|silence| silence.within(start, end));
        let mut lengths: Vec<_> = lengths.filter(|length| *length >= least).collect();
        lengths.sort_unstable_by(|one, other| other.cmp(one));
        let silent: Duration = lengths.iter().sum();
        let mut longer = Duration::ZERO;
        let half = lengths.iter().find(|length| {
            longer += **length;
            longer * 2 >= silent
        });
        Self {
            count: lengths.len(),
            silent,
            length: half.copied().unwrap_or_default(),
        }
    }
}
