//! What kind of experiment it is.

use std::time::Duration;

/// From this solo time on, one measurement is enough, and no more of them are made than needed: noise of some
/// ten milliseconds is small against it, and nobody likes to wait. A timer of one second may fire a little
/// before it.
pub const LONG_SOLO: Duration = Duration::from_millis(950);

/// What a request may take unless told otherwise. Proxies commonly give up then, too.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Requests at once may take so much of the time that one after the other would, and half as much
/// again for what is irregular …
const AT_ONCE: f64 = 1.5;

/// … but nobody waits longer than this without having asked for it.
const LONGEST: Duration = Duration::from_secs(600);

/// How often what noise can have made is measured anew in a test, in all. On two cores with eight busy
/// processes one measurement in nine was spoilt, so that three would still fail one healthy handler in a
/// thousand.
const IN_PROCESS: usize = 5;

/// What an experiment asks, and within which bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each one switches a part of the plan, whatever the others are"
)]
pub struct Policy {
    /// How many requests at once.
    pub requests: usize,
    /// The longest that one request may take. `None` is a minute, and for requests at once longer, up to ten
    /// minutes, if they need it to come one after the other: otherwise a slow server that serializes them
    /// would be inconclusive.
    pub timeout: Option<Duration>,
    /// By how much each request takes longer than that because its answer is only counted as ended so long
    /// after its beginning.
    pub lasting: Duration,
    /// Whether identical URLs are compared with unique ones.
    pub identical: bool,
    /// Whether to look for what requests leave behind that blocks the next ones.
    pub left_behind: bool,
    /// Whether a server that takes [long](LONG_SOLO) may be judged without being asked alone, where the
    /// rounds prove what it takes alone. It needs [identical](Policy::identical).
    pub early: bool,
    /// How often all is measured, the warm-up aside, as long as noise may be why there is no verdict.
    pub measurements: usize,
    /// Whether to ask the requests at once even if those alone were not answered well: so that there is
    /// something to show.
    pub despite_errors: bool,
}

impl Policy {
    /// For a server that is asked over the network: identical URLs are compared, since a proxy or a cache may
    /// be in front of it, and each round is made once, or once more to confirm it.
    pub fn outside(requests: usize) -> Self {
        Self {
            requests,
            timeout: None,
            lasting: Duration::ZERO,
            identical: true,
            left_behind: true,
            early: true,
            measurements: 1,
            despite_errors: false,
        }
    }

    /// For handlers that run in the process that asks, as in a test: nothing is between, so identical URLs are
    /// not compared, and the test's machine is often busy, so what noise can have made is measured anew, at
    /// most four times.
    pub fn in_process(requests: usize) -> Self {
        Self {
            timeout: Some(TIMEOUT),
            identical: false,
            left_behind: false,
            early: false,
            measurements: IN_PROCESS,
            despite_errors: true,
            ..Self::outside(requests)
        }
    }

    /// The longest that one request may take where all of its round take so long one after the other.
    pub(super) fn bound(&self, serialized: Option<Duration>) -> Duration {
        self.timeout.unwrap_or_else(|| {
            let needed = serialized.unwrap_or_default().min(LONGEST).mul_f64(AT_ONCE);
            needed.clamp(TIMEOUT, LONGEST) + self.lasting
        })
    }
}
