//! A hold as the watch keeps it.

use std::time::Duration;

use holdup_model::Hold;
pub(super) use holdup_model::{Culprit, HoldKind, Part, WorkerStatus};

/// A hold lasts at least this long, unless [`Watch::threshold`] says otherwise.
///
/// Long enough that scheduling noise on a busy machine rarely reaches it (50 ms thresholds gave
/// false alarms of 58 to 71 ms in other projects' CI), and as long as a person takes for "at once"
/// (J. Nielsen, *Usability Engineering*, 1993). Python's asyncio warns at the same 100 ms.
///
/// [`Watch::threshold`]: super::Watch::threshold
pub const THRESHOLD: Duration = Duration::from_millis(100);

/// A hold, with what an assertion has to know of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recorded {
    pub(super) hold: Hold,
    /// The most of it that may have been taken from the worker by the system; `None` while that is not
    /// known.
    pub(super) lost: Option<Duration>,
    /// How much of it went on outside the watched requests while one of them waited for something.
    pub(super) outside: Duration,
}

impl Recorded {
    /// The longest that one request took in it, or what was outside of them while one waited. On a
    /// test's own thread it is the test that lets requests follow each other, and it may block in between.
    pub(super) fn longest_alone(&self) -> Duration {
        let busy = self.hold.culprits.iter().map(|culprit| culprit.busy).max();
        busy.unwrap_or_default().max(self.outside)
    }
}

/// The number that stands for a part where only numbers have room.
pub(super) fn code(part: Part) -> u64 {
    match part {
        Part::Call => 0,
        Part::Future => 1,
        _ => 2,
    }
}

/// The part that a number stands for.
pub(super) fn part(code: u64) -> Part {
    match code {
        0 => Part::Call,
        1 => Part::Future,
        _ => Part::Body,
    }
}

/// Who holds the worker, in a few words.
#[cfg(feature = "stacks")]
pub(super) fn who(hold: &Hold) -> String {
    let name = |culprit: &Culprit| format!("{} {}", culprit.method, culprit.route);
    match hold.culprits.as_slice() {
        [] => "something outside the watched requests".to_owned(),
        [only] => name(only),
        [first, rest @ ..] => format!("{} and {} more", name(first), rest.len()),
    }
}
