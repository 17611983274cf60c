//! How many streams and connections the limit on open files allows.

use std::fmt;
use std::num::NonZeroUsize;

/// File descriptors that the lab's connections leave free, so that the console, the logs and the runtime still get
/// one when the lab is full: a twentieth of all, but at least this many. A lab with a console has opened 25 at its
/// start, besides those of its workers.
const RESERVE_MIN: usize = 31;

/// File descriptors of a worker: its event loop's, its timer's and the watch's, counted on Linux.
const OF_A_WORKER: usize = 9;

/// Connections beyond the streams, so that a full lab can still answer 503: a sixteenth of the
/// streams, but at least this many.
const SPARE_MIN: usize = 8;

/// The default for the most streams: actix's own default for the connections of a worker.
const STREAMS_DEFAULT: usize = 25_000;

/// The limits of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most simultaneous streams.
    pub streams: usize,
    /// The most simultaneous connections, which are more than the streams.
    pub connections: usize,
}

/// More streams were asked for than the limit on open files allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("max_streams is {asked}, but {room}")]
#[non_exhaustive]
pub struct TooMany {
    /// The number of streams that was asked for.
    pub asked: usize,
    /// The number of streams that is possible.
    pub room: Room,
}

/// How many streams are possible, and why. The text includes the remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The limit on open files.
    pub open_files: usize,
    /// The number of streams that this limit allows.
    pub possible: usize,
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            open_files,
            possible,
        } = self;
        write!(
            f,
            "the limit of {open_files} open files leaves room for {possible}; raise that limit \
             (ulimit -n), or ask for fewer"
        )
    }
}

impl Limits {
    /// Computes the limits of a lab with so many workers for `open_files` descriptors: all streams that are asked for,
    /// or the default.
    ///
    /// # Errors
    ///
    /// Returns an error when more streams are asked for than fit.
    pub fn within(
        open_files: usize,
        workers: usize,
        asked: Option<NonZeroUsize>,
    ) -> Result<Self, TooMany> {
        let of_workers = workers.saturating_mul(OF_A_WORKER);
        let reserve = (open_files / 20)
            .max(RESERVE_MIN)
            .saturating_add(of_workers);
        let connections = open_files.saturating_sub(reserve).max(SPARE_MIN + 1);
        let spare = (connections / 16).max(SPARE_MIN);
        let possible = connections - spare;
        let streams = match asked.map(NonZeroUsize::get) {
            Some(asked) if asked > possible => {
                let room = Room {
                    open_files,
                    possible,
                };
                return Err(TooMany { asked, room });
            }
            Some(asked) => asked,
            None => possible.min(STREAMS_DEFAULT),
        };
        Ok(Self {
            streams,
            connections,
        })
    }
}

/// The current limit on open files.
pub fn open_files() -> usize {
    use rustix::process::{Resource, getrlimit};

    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits of a lab with one worker.
    fn within(open_files: usize, asked: Option<usize>) -> Result<Limits, TooMany> {
        Limits::within(open_files, 1, asked.and_then(NonZeroUsize::new))
    }

    #[test]
    fn connections_stay_below_the_open_files_and_above_the_streams() {
        for open_files in [120, 256, 1024, 20_000, 1_048_576] {
            let limits = within(open_files, None).expect("nothing was asked for");
            assert!(
                limits.streams + SPARE_MIN <= limits.connections,
                "{open_files}: {limits:?}"
            );
            assert!(
                limits.connections + RESERVE_MIN + OF_A_WORKER <= open_files,
                "{open_files}: {limits:?}"
            );
        }
    }

    #[test]
    fn each_worker_needs_files_of_its_own() {
        let connections = |workers| Limits::within(1024, workers, None).map(|it| it.connections);
        assert_eq!(connections(1), Ok(1024 - 51 - 9));
        assert_eq!(connections(64), Ok(1024 - 51 - 64 * 9));
        assert_eq!(connections(usize::MAX), Ok(SPARE_MIN + 1));
    }

    #[test]
    fn twenty_thousand_files_are_enough_for_fifteen_thousand_streams() {
        assert!(within(20_000, Some(15_000)).is_ok());
        assert!(within(20_000, None).is_ok_and(|limits| limits.streams >= 15_000));
    }

    #[test]
    fn more_than_fits_is_refused_with_what_would_fit() {
        let error = within(120, Some(1000)).expect_err("1000 streams on 120 files");
        assert_eq!(
            error,
            TooMany {
                asked: 1000,
                room: Room {
                    open_files: 120,
                    possible: 72
                }
            }
        );
        assert!(within(120, Some(72)).is_ok());
    }

    #[test]
    fn even_very_few_files_leave_one_stream() {
        assert_eq!(within(10, None).map(|limits| limits.streams), Ok(1));
    }
}
