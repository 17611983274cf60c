//! How often B is asked.

use std::time::Duration;

use super::sample::Sample;
use holdup_model::Lane;

/// At most about so many requests fall into A's time.
const MOST: u32 = 200;

/// The shortest time from one request to the next. More requests would load the client and the server.
const LEAST: Duration = Duration::from_millis(5);

/// At least so many requests fall into A's time, even if B takes long.
const FEWEST: u32 = 20;

/// How long to wait from one request to B to the next, if A takes `a`: at most about 200 requests fall into
/// that time. B is asked only once in the time that it takes alone, so that its requests do not wait for each
/// other, but at least twenty times while A runs. Never less than 5 ms.
///
/// The requests alternate: one has a fresh connection, and the next one goes over the kept connection that
/// has been idle for the longest time, if there is one.
pub fn pace(alone: &[Sample], a: Duration) -> Duration {
    let mut times: Vec<_> = alone
        .iter()
        .filter_map(|sample| Lane::duration(&sample.lane))
        .collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    (a / MOST).max(median.min(a / FEWEST)).max(LEAST)
}
