//! Whether an answer arrives while it is being produced (streamed) or in one burst at the end.

use std::fmt;
use std::time::Duration;

use holdup_model::{HumanDuration, Lane};

/// The shortest answer whose delivery is judged. A network sometimes delivers a shorter stream in one burst.
const MIN_DURATION: Duration = Duration::from_millis(50);

/// The burst is whatever arrives in this last fraction of the duration. For comparison, a stream of two
/// chunks with equal pauses before, between and after them has its first chunk after a third.
const BURST: f64 = 0.1;

/// The burst lasts at least this long, whatever the duration, because a large answer takes as long to cross a
/// network.
const BURST_TIME: Duration = Duration::from_millis(10);

/// An answer is buffered if at most this part of its bytes came before the burst. A compressor sends its
/// header at once and keeps everything else, and some servers send a comment first. By comparison, a stream
/// of two equal chunks has sent half of its bytes before the last one.
const BEFORE_BURST: f64 = 0.1;

/// How an answer was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// Chunks arrived while the answer was still being produced.
    Streamed {
        /// How many there were.
        chunks: u64,
        /// How long after the request the first one arrived.
        first: Duration,
    },
    /// There were several chunks, and all or nearly all of their bytes arrived in one burst at the end.
    Buffered {
        /// How many there were.
        chunks: u64,
        /// How long it took until the burst.
        after: Duration,
        /// The bytes that came before the burst; at most a tenth of all.
        before: u64,
    },
    /// There was one chunk or none. The answer was short, or something on the way held a stream back until
    /// its end.
    Single,
    /// The answer was too fast to judge, or did not end.
    Unknown,
    /// Too little of the answer was read to judge: it was [counted as complete](Lane::is_cut_short) before its end.
    CutShort,
    /// The client did not read for so long that what it read afterwards may have arrived at any time meanwhile.
    ClientTooSlow {
        /// How long it did not read.
        longest: Duration,
    },
}

impl Delivery {
    /// The lower-case name; `None` when it is [unknown](Self::Unknown), [cut short](Self::CutShort), or [may be the
    /// client's](Self::ClientTooSlow).
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Streamed { .. } => Some("streamed"),
            Self::Buffered { .. } => Some("buffered"),
            Self::Single => Some("single"),
            Self::Unknown | Self::CutShort | Self::ClientTooSlow { .. } => None,
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Streamed { chunks, first } => write!(
                f,
                "Streamed: {chunks} chunks, the first after {}.",
                HumanDuration(first)
            ),
            Self::Buffered {
                chunks,
                after,
                before,
            } => {
                match before {
                    0 => write!(
                        f,
                        "Buffered: nothing for {}, then all {chunks} chunks",
                        HumanDuration(after)
                    )?,
                    1 => write!(
                        f,
                        "Buffered: 1 byte in the first {}, then all else",
                        HumanDuration(after)
                    )?,
                    _ => write!(
                        f,
                        "Buffered: {before} bytes in the first {}, then all else",
                        HumanDuration(after)
                    )?,
                }
                f.write_str(
                    " in one burst. The handler blocks, or builds the whole response before it sends any \
                     of it, or a proxy, compression or a write buffer holds the chunks back.",
                )
            }
            Self::Single => f.write_str(
                "In one piece: the response is short, or something on the way held back a stream.",
            ),
            Self::Unknown => {
                f.write_str("The response was too short to show whether it is streamed.")
            }
            Self::CutShort => f.write_str(
                "The response was read only as far as was asked for, which is too little to show whether it is \
                 streamed: read on for longer.",
            ),
            Self::ClientTooSlow { longest } => write!(
                f,
                "The prober itself did not read for up to {}, which is too long to show whether the \
                 response is streamed.",
                HumanDuration(longest)
            ),
        }
    }
}

/// Determines how the answer in `lane` was delivered. A request that was sent alone gives the clearest
/// result.
///
/// Only the body's chunks count. The head may arrive early although the body does not.
///
/// ```
/// use std::time::Duration;
/// use holdup_model::Lane;
/// use holdup_verdict::delivery;
///
/// let ms = Duration::from_millis;
/// let mut lane = Lane::start("/countdown", ms(0));
/// lane.record_head(ms(1), 200);
/// for _tick in 0..4 {
///     lane.record_chunk(ms(3000), b"tick\n");
/// }
/// lane.finish(ms(3001));
/// let words = delivery(&lane).to_string();
/// assert!(words.starts_with("Buffered: nothing for 3.00 s, then all 4 chunks in one burst."));
/// ```
///
/// If the client may have made the difference by [not reading](holdup_model::ClientTime::longest) for some time, the
/// result is [`Delivery::ClientTooSlow`].
pub fn delivery(lane: &Lane) -> Delivery {
    let seen = as_seen(lane);
    let longest = lane.client_time().longest;
    if is_clients(seen, lane, longest) {
        return Delivery::ClientTooSlow { longest };
    }
    seen
}

/// The part of the answer's time that counts as its end.
fn burst_time(duration: Duration) -> Duration {
    duration.mul_f64(BURST).max(BURST_TIME)
}

/// Whether a client that did not read for so long may be the reason for what was seen. Everything may have arrived
/// earlier by that much.
fn is_clients(seen: Delivery, lane: &Lane, longest: Duration) -> bool {
    let (Some(end), Some(duration)) = (lane.finished_at(), lane.duration()) else {
        return false;
    };
    let burst_time = burst_time(duration);
    if longest < burst_time {
        return false;
    }
    match seen {
        // It may have begun before the last part of its time.
        Delivery::Buffered { after, .. } => {
            after.saturating_sub(longest) < duration.saturating_sub(burst_time)
        }
        // All of it may have arrived in one burst, of which the client read one part before, and one after.
        Delivery::Streamed { .. } => {
            let first = lane.chunks().first();
            first.is_some_and(|first| end.saturating_sub(first.at) <= longest + burst_time)
        }
        // Pieces of a body that is not chunked are read as one if they wait together.
        Delivery::Single => {
            lane.chunk_count() == 1
                && longest >= MIN_DURATION
                && longest.saturating_mul(2) >= duration
        }
        Delivery::Unknown | Delivery::CutShort | Delivery::ClientTooSlow { .. } => false,
    }
}

fn as_seen(lane: &Lane) -> Delivery {
    let (Some(end), Some(duration)) = (lane.finished_at(), lane.duration()) else {
        return Delivery::Unknown;
    };
    let chunks = lane.chunk_count();
    let Some(first) = lane.chunks().first().filter(|_| chunks > 1) else {
        return if lane.is_cut_short() {
            Delivery::CutShort
        } else {
            Delivery::Single
        };
    };
    if duration < MIN_DURATION {
        return Delivery::Unknown;
    }
    let burst = end.saturating_sub(burst_time(duration));
    let early = lane.chunks().iter().take_while(|chunk| chunk.at < burst);
    let before: u64 = early.map(|chunk| chunk.bytes as u64).sum();
    let begins = lane.chunks().iter().find(|chunk| chunk.at >= burst);
    #[expect(clippy::cast_precision_loss, reason = "a tenth need not be exact")]
    let few = before as f64 <= lane.bytes() as f64 * BEFORE_BURST;
    // A lane keeps only its first chunks one by one. If all of these came before the burst, nothing is known
    // about the burst.
    match begins {
        // The end is where the reading stopped, so that the last chunks are always near it.
        Some(_) if few && lane.is_cut_short() => Delivery::CutShort,
        Some(begins) if few => Delivery::Buffered {
            chunks,
            after: begins.at.saturating_sub(lane.requested_at()),
            before,
        },
        _ => Delivery::Streamed {
            chunks,
            first: first.at.saturating_sub(lane.requested_at()),
        },
    }
}

#[cfg(test)]
mod tests {
    use holdup_model::ClientTime;

    use super::*;

    fn delivered(chunks: &[u64], end: u64) -> Delivery {
        let ms = Duration::from_millis;
        let mut lane = Lane::start("/", ms(100));
        // The head is early in every case: it must not matter.
        lane.record_head(ms(101), 200);
        for at in chunks {
            lane.record_chunk(ms(100 + at), b"tick");
        }
        lane.finish(ms(100 + end));
        delivery(&lane)
    }

    #[test]
    fn what_a_pause_of_the_client_may_have_made_is_not_told() {
        let ms = Duration::from_millis;
        let delivered = |chunks: &[u64], end: u64, longest: u64| {
            let mut lane = Lane::start("/", ms(100));
            for at in chunks {
                lane.record_chunk(ms(100 + at), b"tick");
            }
            lane.finish(ms(100 + end));
            lane.record_client_time(ClientTime {
                longest: ms(longest),
                ..ClientTime::default()
            });
            delivery(&lane).name()
        };
        for (chunks, end, longest, expected) in [
            // A tick every 100 ms, of which all but the last came while the client was stopped.
            (&[900; 10][..], 900, 850, None),
            // One burst, of which the client read a part before it was stopped.
            (&[1000, 1300, 1300], 1300, 300, None),
            // One piece, or pieces that the client read as one.
            (&[900], 900, 850, None),
            // A pause that cannot make the difference.
            (&[3000, 3000, 3000], 3000, 200, Some("buffered")),
            (&[100, 200, 500, 600], 600, 300, Some("streamed")),
            (&[900; 10], 900, 80, Some("buffered")),
            (&[900], 900, 80, Some("single")),
        ] {
            let found = delivered(chunks, end, longest);
            assert_eq!(found, expected, "{chunks:?} {end} {longest}");
        }
    }

    #[test]
    fn delivery_follows_from_arrival_times_relative_to_the_duration() {
        let ms = Duration::from_millis;
        let streamed = |chunks, first| Delivery::Streamed {
            chunks,
            first: ms(first),
        };
        let buffered = |chunks, after| Delivery::Buffered {
            chunks,
            after: ms(after),
            before: 0,
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
    fn delivery_depends_on_when_most_bytes_arrive() {
        let ms = Duration::from_millis;
        let delivered = |chunks: &[(u64, usize)]| {
            let mut lane = Lane::start("/", ms(0));
            for (at, bytes) in chunks {
                lane.record_chunk(ms(*at), &vec![b'x'; *bytes]);
            }
            lane.finish(ms(3000));
            delivery(&lane)
        };
        // A compressor sends its header first, and everything else at the end.
        let gathered = delivered(&[(2, 10), (2990, 20_000), (2991, 15_000)]);
        let expected = Delivery::Buffered {
            chunks: 3,
            after: ms(2990),
            before: 10,
        };
        assert_eq!(gathered, expected);
        let words = gathered.to_string();
        assert!(
            words
                .starts_with("Buffered: 10 bytes in the first 2.99 s, then all else in one burst."),
            "{words}"
        );
        // The rest may also arrive as a single chunk.
        assert_eq!(
            delivered(&[(2, 10), (3000, 500)]),
            Delivery::Buffered {
                chunks: 2,
                after: ms(3000),
                before: 10,
            }
        );
        for streamed in [
            &[(2, 60), (1000, 60), (2000, 60), (3000, 60)][..],
            &[(2, 50), (3000, 100)],
            // A stream that ends long after its last byte.
            &[(2, 10), (300, 5000)],
        ] {
            let kind = delivered(streamed);
            assert!(
                matches!(kind, Delivery::Streamed { .. }),
                "{streamed:?}: {kind:?}"
            );
        }
        // There are more chunks than a lane keeps; the others are only counted.
        let many: Vec<_> = (0..2000).map(|at| (at, 10)).collect();
        assert!(matches!(delivered(&many), Delivery::Streamed { .. }));
        let late: Vec<_> = (0..2000)
            .map(|place| (if place == 0 { 2 } else { 2990 }, 10))
            .collect();
        assert!(matches!(
            delivered(&late),
            Delivery::Buffered { before: 10, .. }
        ));
    }

    #[test]
    fn the_beginning_of_an_answer_shows_only_that_it_is_streamed() {
        let ms = Duration::from_millis;
        let read = |chunks: &[u64], end: u64, is_cut_short: bool| {
            let mut lane = Lane::start("/", ms(0));
            for at in chunks {
                lane.record_chunk(ms(*at), b"tick");
            }
            if is_cut_short {
                lane.record_cut_short();
            }
            lane.finish(ms(end));
            delivery(&lane)
        };
        for (chunks, end, cut_short, whole) in [
            // A tick a second, of which 300 ms are read.
            (&[5][..], 305, None, Some("single")),
            // The first words after some thought, one right after the other.
            (&[2000, 2020, 2040], 2040, None, Some("buffered")),
            (&[5, 1005, 2005], 2005, Some("streamed"), Some("streamed")),
        ] {
            assert_eq!(read(chunks, end, true).name(), cut_short, "{chunks:?}");
            assert_eq!(read(chunks, end, false).name(), whole, "{chunks:?}");
        }
        let words = read(&[5], 305, true).to_string();
        assert!(
            words.starts_with("The response was read only as far as was asked for"),
            "{words}"
        );
    }

    #[test]
    fn an_answer_without_an_end_is_unknown() {
        assert_eq!(
            delivery(&Lane::start("/", Duration::ZERO)),
            Delivery::Unknown
        );
    }
}
