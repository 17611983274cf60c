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

/// The most workers that actix runs.
pub const MOST_WORKERS: usize = 512;

/// The limits of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most simultaneous streams.
    pub streams: usize,
    /// The most simultaneous connections, which are more than the streams, and at least one for each worker.
    pub connections: usize,
}

/// More was asked for than is possible. The text includes the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TooMany {
    /// More streams than the limit on open files allows.
    #[error("max_streams is {asked}, but {room}")]
    #[non_exhaustive]
    Streams {
        /// The number of streams that was asked for.
        asked: usize,
        /// The number of streams that is possible.
        room: Room,
    },
    /// More workers than the limit on open files allows, or actix runs.
    #[error("workers is {asked}, but {room}")]
    #[non_exhaustive]
    Workers {
        /// The number of workers that was asked for.
        asked: usize,
        /// The number of workers that is possible.
        room: WorkerRoom,
    },
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

/// How many workers are possible, and why. The text includes the remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerRoom {
    /// As many as actix runs.
    OfActix,
    /// As many as the limit on open files allows.
    OfFiles {
        /// The limit on open files.
        open_files: usize,
        /// The limit that the workers need.
        needed: usize,
        /// The number of workers that is possible; 0 if there are too few files for a single one.
        possible: usize,
    },
}

impl fmt::Display for WorkerRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfActix => write!(f, "actix runs at most {MOST_WORKERS}; ask for fewer"),
            Self::OfFiles {
                open_files,
                needed,
                possible,
            } => {
                write!(
                    f,
                    "that needs a limit of {needed} open files, and the limit is {open_files}"
                )?;
                match possible {
                    0 => write!(f, "; raise it (ulimit -n)"),
                    _ => write!(
                        f,
                        ", which leaves room for {possible}; raise it (ulimit -n), or ask for fewer"
                    ),
                }
            }
        }
    }
}

impl Limits {
    /// Computes the limits of a lab with so many workers for `open_files` descriptors: all streams that are asked for,
    /// or the default.
    ///
    /// # Errors
    ///
    /// Returns an error when more workers or more streams are asked for than fit.
    pub fn within(
        open_files: usize,
        workers: usize,
        asked: Option<NonZeroUsize>,
    ) -> Result<Self, TooMany> {
        check_workers(open_files, workers)?;
        let connections = without_reserve(open_files) - workers * OF_A_WORKER;
        let spare = (connections / 16).max(SPARE_MIN);
        let possible = connections - spare;
        let streams = match asked.map(NonZeroUsize::get) {
            Some(asked) if asked > possible => {
                let room = Room {
                    open_files,
                    possible,
                };
                return Err(TooMany::Streams { asked, room });
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

/// Checks that so many workers can run, and that there are files left for a connection of each, and for one stream.
fn check_workers(open_files: usize, workers: usize) -> Result<(), TooMany> {
    if workers > MOST_WORKERS {
        let (asked, room) = (workers, WorkerRoom::OfActix);
        return Err(TooMany::Workers { asked, room });
    }
    let least = |workers: usize| workers * OF_A_WORKER + workers.max(SPARE_MIN + 1);
    let available = without_reserve(open_files);
    if least(workers) <= available {
        return Ok(());
    }
    let mut fewer = (1..workers).rev();
    let room = WorkerRoom::OfFiles {
        open_files,
        needed: with_reserve(least(workers)),
        possible: fewer.find(|&fewer| least(fewer) <= available).unwrap_or(0),
    };
    Err(TooMany::Workers {
        asked: workers,
        room,
    })
}

/// The descriptors of which connections and workers may use all.
fn without_reserve(open_files: usize) -> usize {
    open_files.saturating_sub((open_files / 20).max(RESERVE_MIN))
}

/// The least limit on open files with which connections and workers may use so many.
fn with_reserve(used: usize) -> usize {
    // Of twenty descriptors, they may use nineteen.
    (used + RESERVE_MIN).max(used + used.saturating_sub(1) / 19)
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
        // Each of them can still get a connection.
        assert_eq!(connections(97), Ok(1024 - 51 - 97 * 9));
    }

    #[test]
    fn more_workers_than_fit_are_refused_with_what_would_fit_and_what_is_needed() {
        let told = |open_files, workers| {
            let refused = Limits::within(open_files, workers, None);
            refused.map_err(|error| error.to_string())
        };
        let because = "that needs a limit of";
        assert_eq!(
            told(1024, 98),
            Err(format!(
                "workers is 98, but {because} 1031 open files, and the limit is 1024, which leaves room for 97; raise \
                 it (ulimit -n), or ask for fewer"
            ))
        );
        assert!(told(1030, 98).is_err());
        assert!(told(1031, 98).is_ok());
        assert_eq!(
            told(64, 16),
            Err(format!(
                "workers is 16, but {because} 191 open files, and the limit is 64, which leaves room for 2; raise it \
                 (ulimit -n), or ask for fewer"
            ))
        );
        assert!(told(64, 2).is_ok());
        let of_actix = "but actix runs at most 512; ask for fewer";
        assert_eq!(
            told(usize::MAX, 513),
            Err(format!("workers is 513, {of_actix}"))
        );
        assert!(told(1_048_576, 512).is_ok());
        assert_eq!(
            told(0, usize::MAX),
            Err(format!("workers is {}, {of_actix}", usize::MAX))
        );
    }

    #[test]
    fn what_is_said_to_be_needed_is_the_least_that_is_enough() {
        for workers in 1..=MOST_WORKERS {
            let Err(TooMany::Workers {
                room: WorkerRoom::OfFiles { needed, .. },
                ..
            }) = Limits::within(0, workers, None)
            else {
                panic!("{workers} workers without a file");
            };
            assert!(Limits::within(needed - 1, workers, None).is_err());
            let limits = Limits::within(needed, workers, None).expect("it is enough");
            assert!(limits.streams > 0 && limits.connections >= workers);
        }
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
            TooMany::Streams {
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
    fn the_fewest_files_that_are_enough_leave_one_stream() {
        assert_eq!(within(49, None).map(|limits| limits.streams), Ok(1));
        let error = within(48, None).expect_err("one file too few");
        assert_eq!(
            error.to_string(),
            "workers is 1, but that needs a limit of 49 open files, and the limit is 48; raise it (ulimit -n)"
        );
    }
}
