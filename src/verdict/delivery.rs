//! Whether an answer comes as it is made: streamed, or in one burst at the end.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::timeline::{Lane, Span, as_ms};

/// The shortest answer whose chunks are read. Within less, a network delivers a stream in one burst
/// now and then.
const MIN_DURATION: Duration = Duration::from_millis(50);

/// A burst: everything within this part of the duration, before its end. A stream of two chunks
/// with its pauses between them, before and after, has its first after a third.
const BURST: f64 = 0.1;

/// Everything within this time is a burst, whatever the duration: a large answer takes as long to
/// cross a network.
const BURST_TIME: Duration = Duration::from_millis(10);

/// How an answer was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Delivery {
    /// Chunks came while the answer was still being made.
    Streamed {
        /// How many there were.
        chunks: u64,
        /// When the first came, after asking.
        #[serde(rename = "first_ms", serialize_with = "as_ms")]
        first: Duration,
    },
    /// Several chunks, all in one burst at the end of a long wait.
    Buffered {
        /// How many there were.
        chunks: u64,
        /// How long it took until the burst.
        #[serde(rename = "after_ms", serialize_with = "as_ms")]
        after: Duration,
    },
    /// One chunk or none. A short answer looks like this, and so does a stream that something on
    /// the way gathered into one piece.
    Single,
    /// Over too soon to tell, or not answered to the end.
    Unknown,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Streamed { chunks, first } => write!(
                f,
                "Streamed: {chunks} chunks, the first after {}.",
                Span(first)
            ),
            Self::Buffered { chunks, after } => write!(
                f,
                "Buffered: nothing for {}, then all {chunks} chunks in one burst. The handler \
                 blocks or makes everything before it sends, or a proxy, a compression or a write \
                 buffer gathers the chunks.",
                Span(after)
            ),
            Self::Single => f.write_str(
                "In one piece: a short answer, or a stream that something on the way gathered.",
            ),
            Self::Unknown => f.write_str("Over too soon to tell whether it is streamed."),
        }
    }
}

/// Reads how `lane` was delivered; best from a request that was alone.
///
/// Only arrivals count, not the head: it may come early though the body does not.
///
/// ```
/// use std::time::Duration;
/// use holdup::timeline::Lane;
/// use holdup::verdict::delivery;
///
/// let ms = Duration::from_millis;
/// let mut lane = Lane::asked("/countdown", ms(0));
/// lane.answer(ms(1), 200);
/// for _tick in 0..4 {
///     lane.chunk(ms(3000), b"tick\n");
/// }
/// lane.finish(ms(3001));
/// let words = delivery(&lane).to_string();
/// assert!(words.starts_with("Buffered: nothing for 3.00 s, then all 4 chunks in one burst."));
/// ```
pub fn delivery(lane: &Lane) -> Delivery {
    let (Some(end), Some(duration)) = (lane.finished_at(), lane.duration()) else {
        return Delivery::Unknown;
    };
    let chunks = lane.chunk_count();
    let Some(first) = lane.chunks().first().filter(|_| chunks > 1) else {
        return Delivery::Single;
    };
    if duration < MIN_DURATION {
        return Delivery::Unknown;
    }
    let after = first.at.saturating_sub(lane.asked_at());
    if end.saturating_sub(first.at) <= duration.mul_f64(BURST).max(BURST_TIME) {
        Delivery::Buffered { chunks, after }
    } else {
        let first = after;
        Delivery::Streamed { chunks, first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(chunks: &[u64], end: u64) -> Delivery {
        let ms = Duration::from_millis;
        let mut lane = Lane::asked("/", ms(100));
        // The head is early in every case: it must not matter.
        lane.answer(ms(101), 200);
        for at in chunks {
            lane.chunk(ms(100 + at), b"tick");
        }
        lane.finish(ms(100 + end));
        delivery(&lane)
    }

    #[test]
    fn arrivals_against_the_duration_tell_how_it_was_delivered() {
        let ms = Duration::from_millis;
        let streamed = |chunks, first| Delivery::Streamed {
            chunks,
            first: ms(first),
        };
        let buffered = |chunks, after| Delivery::Buffered {
            chunks,
            after: ms(after),
        };
        for (chunks, end, expected) in [
            (&[0, 200, 400, 600][..], 600, streamed(4, 0)),
            (&[200, 400], 600, streamed(2, 200)),
            (&[1, 2], 600, streamed(2, 1)),
            (&[600, 600, 600], 600, buffered(3, 600)),
            (&[995, 998, 1040], 1041, buffered(3, 995)),
            (&[52, 56, 60], 60, buffered(3, 52)),
            (&[600], 600, Delivery::Single),
            (&[], 600, Delivery::Single),
            (&[0, 20, 40], 40, Delivery::Unknown),
        ] {
            assert_eq!(delivered(chunks, end), expected, "{chunks:?} {end}");
        }
    }

    #[test]
    fn an_answer_without_an_end_is_unknown() {
        assert_eq!(
            delivery(&Lane::asked("/", Duration::ZERO)),
            Delivery::Unknown
        );
    }
}
