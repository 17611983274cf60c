//! How many streamed answers had begun at a time.
//!
//! If answers are of different length, as those of a language model are, then their ends fit no staircase. But if
//! they are streamed, their first bytes show when each of them was begun. A server with `L` slots begins `L`
//! answers together, and each further one right after another one has ended: the next one after the first end,
//! the one after that after the second end, and so on. A server that works on all of them has begun all before
//! the first one ends, however much they slow each other down.

use std::time::Duration;

use serde::Serialize;

use super::delivery::{Delivery, delivery};
use super::measures::{all_answered, same_status};
use super::verdict::Kind;
use holdup_model::{Lane, Timeline};

/// Answers are of different length if the longest one, from its first byte to its end, takes at least this many
/// times as long as the shortest …
const UNEQUAL: f64 = 1.3;

/// … and longer by at least this: less may be noise.
const UNEQUAL_BY: Duration = Duration::from_millis(50);

/// An answer has begun before another one has ended if this much is between the two: the prober may notice them
/// in another order than they happened.
const BEFORE: Duration = Duration::from_millis(20);

/// A server may begin the next answer a little before the prober has noticed the end of the one before it.
const UNNOTICED: Duration = Duration::from_millis(5);

/// From the end of one answer to the first byte of the next one, at most this many times what the first byte
/// takes alone …
const NEXT: f64 = 1.5;

/// … and this much more, the noise of a busy machine.
const NEXT_BY: Duration = Duration::from_millis(60);

/// It takes at least this part of what the first byte takes alone.
const SOONEST: f64 = 0.5;

/// If at most this many waited, those that did not wait must have begun as soon as one alone does.
const FEW: usize = 2;

/// If all answers have this many chunks, the second one counts as the beginning: some servers send a comment
/// before it is the request's turn.
const ENOUGH: u64 = 3;

/// Otherwise, the first chunk is no beginning if the second one comes more than this many times as late after
/// it as it does alone …
const EARLY: f64 = 3.0;

/// … and by this much more.
const EARLY_BY: Duration = Duration::from_millis(100);

/// How many streamed answers had begun at a time. It tells a queue from work that is slowed down if the
/// answers are of different length, so that their ends show little.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Began {
    /// Whether all began together, one after the other, or some at a time.
    pub verdict: Kind,
    /// How many had begun at a time, if it shows.
    pub at_a_time: Option<usize>,
}

/// Reads from their first bytes how many of the answers in `at_once` had begun at a time. `alone` are the
/// requests that were sent while no other was running. `None` if the answers are not streamed, if some failed,
/// or if all are of about the same length, so that their ends show it.
///
/// ```
/// use std::time::Duration;
/// use holdup_model::{Lane, Timeline};
/// use holdup_verdict::{Kind, began};
///
/// // Words that come every 100 ms, from `first` on.
/// let answered = |first: u64, words: u64| {
///     let mut lane = Lane::start("/chat", Duration::ZERO);
///     for word in 0..words {
///         lane.record_chunk(Duration::from_millis(first + word * 100), b"word");
///     }
///     lane.finish(Duration::from_millis(first + (words - 1) * 100));
///     lane
/// };
/// let alone = [answered(200, 5)];
/// // Two begin together, and each of the others after one has ended.
/// let at_once = Timeline::from(vec![
///     answered(200, 9),  // to 1000 ms
///     answered(200, 4),  // to 500 ms
///     answered(700, 12), // to 1800 ms
///     answered(1200, 3),
/// ]);
/// let began = began(&alone, &at_once).expect("they are streamed");
/// assert_eq!((began.verdict, began.at_a_time), (Kind::Limited, Some(2)));
/// ```
pub fn began(alone: &[Lane], at_once: &Timeline) -> Option<Began> {
    let lanes = &at_once.lanes;
    let comparable = lanes.len() > 1
        && all_answered(alone, true).is_ok()
        && all_answered(lanes, false).is_ok()
        && same_status(alone, lanes).is_ok();
    if !comparable || !are_streamed(alone, 1.0) || !are_streamed(lanes, MOST_STREAMED) {
        return None;
    }
    if !are_unequal(lanes) {
        return None;
    }
    let shortest = alone.iter().chain(lanes).map(Lane::chunk_count).min();
    let begun = if shortest >= Some(ENOUGH) {
        Begun::of(alone, lanes, 1)
    } else {
        Begun::of(alone, lanes, 0).filter(|_| !is_early(alone, lanes))
    };
    let found = begun.map_or_else(Began::inconclusive, |begun| begun.read());
    // All that arrives while the client does not read is recorded at the same moment, as if one had waited for the other. But no
    // pause makes an answer begin before another one ends.
    let own = lanes.iter().map(|lane| lane.client_time().longest).max();
    let may_be_clients = found.verdict != Kind::Concurrent && own > Some(NEXT_BY);
    Some(if may_be_clients {
        Began::inconclusive()
    } else {
        found
    })
}

/// This part of the answers has to be streamed. A short one may come in one piece.
const MOST_STREAMED: f64 = 0.6;

#[expect(clippy::cast_precision_loss, reason = "few requests")]
fn are_streamed(lanes: &[Lane], most: f64) -> bool {
    let streamed = lanes
        .iter()
        .filter(|lane| matches!(delivery(lane), Delivery::Streamed { .. }))
        .count();
    !lanes.is_empty() && streamed as f64 >= most * lanes.len() as f64
}

fn are_unequal(lanes: &[Lane]) -> bool {
    let lengths = || {
        lanes
            .iter()
            .filter_map(|lane| Some(lane.finished_at()?.saturating_sub(at(lane, 0)?)))
    };
    let (Some(low), Some(high)) = (lengths().min(), lengths().max()) else {
        return false;
    };
    high >= low.mul_f64(UNEQUAL) && high >= low + UNEQUAL_BY
}

/// When a chunk of the answer arrived.
fn at(lane: &Lane, chunk: usize) -> Option<Duration> {
    lane.chunks().get(chunk).map(|chunk| chunk.at)
}

/// Whether something may be sent before it is a request's turn.
fn is_early(alone: &[Lane], lanes: &[Lane]) -> bool {
    let gap = |lane: &Lane| Some(at(lane, 1)?.saturating_sub(at(lane, 0)?));
    let alone = alone.iter().filter_map(gap).max().unwrap_or_default();
    let most = alone.mul_f64(EARLY) + EARLY_BY;
    lanes.iter().filter_map(gap).any(|gap| gap > most)
}

/// When the answers began and ended.
struct Begun {
    /// Each in order.
    begins: Vec<Duration>,
    ends: Vec<Duration>,
    /// How long it takes at most from when a request is served to when its answer begins.
    next: Duration,
    /// How long it takes at least.
    soonest: Duration,
    /// When the first request was sent.
    asked: Duration,
}

impl Begun {
    /// Takes the chunk with this index as the beginning. `None` if an answer has no such chunk.
    fn of(alone: &[Lane], lanes: &[Lane], chunk: usize) -> Option<Self> {
        let first = |lane: &Lane| Some(at(lane, chunk)?.saturating_sub(lane.requested_at()));
        let first = alone.iter().map(first).collect::<Option<Vec<_>>>()?;
        let mut begins: Vec<_> = lanes
            .iter()
            .map(|lane| at(lane, chunk))
            .collect::<Option<_>>()?;
        let mut ends: Vec<_> = lanes.iter().filter_map(Lane::finished_at).collect();
        begins.sort_unstable();
        ends.sort_unstable();
        Some(Self {
            begins,
            ends,
            next: first.iter().max()?.mul_f64(NEXT) + NEXT_BY,
            soonest: first.iter().min()?.mul_f64(SOONEST).saturating_sub(BEFORE),
            asked: lanes.iter().map(Lane::requested_at).min()?,
        })
    }

    fn read(&self) -> Began {
        let n = self.begins.len();
        let first_end = self.ends[0];
        let together = self
            .begins
            .partition_point(|begin| *begin + BEFORE < first_end);
        if together == n {
            return Began {
                verdict: Kind::Concurrent,
                at_a_time: Some(n),
            };
        }
        // Those that begin together may slow each other down. But if few waited, work that slows down all of them
        // may look the same by chance.
        let turns = if n - together > FEW {
            u32::try_from(together).unwrap_or(u32::MAX)
        } else {
            1
        };
        let prompt = self.asked + self.next.saturating_mul(turns);
        if together == 0 || self.begins[together - 1] > prompt || !self.follow(together) {
            return Began::inconclusive();
        }
        // One more may have begun together with them, but late.
        if self.begins[together] <= self.asked + self.next && self.follow(together + 1) {
            return Began::inconclusive();
        }
        Began {
            verdict: if together == 1 {
                Kind::Serialized
            } else {
                Kind::Limited
            },
            at_a_time: Some(together),
        }
    }

    /// Whether each further answer began when another one had ended, if so many began together.
    fn follow(&self, together: usize) -> bool {
        let mut waited = self.begins[together..].iter().zip(&self.ends);
        waited.all(|(begin, end)| {
            let soonest = (*end + self.soonest).saturating_sub(UNNOTICED);
            (soonest..=*end + self.next).contains(begin)
        })
    }
}

impl Began {
    fn inconclusive() -> Self {
        Self {
            verdict: Kind::Inconclusive,
            at_a_time: None,
        }
    }

    /// Whether a single answer that was late by chance may look like this. Measure once more, and
    /// [confirm](Began::confirm_with) it.
    pub(super) fn needs_confirmation(&self, requests: usize) -> bool {
        self.verdict != Kind::Concurrent && self.at_a_time.is_some_and(|some| some + 1 >= requests)
    }

    /// What two measurements show together: this, if they agree.
    pub(super) fn confirm_with(self, again: Option<&Self>) -> Self {
        if again == Some(&self) {
            self
        } else {
            Self::inconclusive()
        }
    }

    /// The finding as a line of evidence; `None` if it is inconclusive.
    pub(super) fn evidence(&self) -> Option<String> {
        Some(match (self.verdict, self.at_a_time?) {
            (Kind::Concurrent, all) => {
                format!("by first bytes: all {all} answers had begun before the first one ended")
            }
            (_, at_a_time) => format!(
                "by first bytes: {at_a_time} at a time; each further answer began when another one had ended"
            ),
        })
    }
}
