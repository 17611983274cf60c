//! How often B is asked, and how many times at most.

use std::time::Duration;

use super::sample::Sample;
use holdup_model::Lane;

/// How many connections are kept open. Each belongs to one worker, and one says little.
pub(crate) const KEPT: usize = 8;

/// With this many unanswered, no more are sent, so that a frozen server is not flooded.
pub(crate) const MOST_UNANSWERED: usize = 64;

/// The most requests in one round.
pub(crate) const MOST_ASKED: usize = 400;

/// Of these, so many are kept for the time after A's requests have ended.
pub(crate) const RESERVED: usize = 16;

/// At most about so many requests fall into A's time.
const MOST: u32 = 200;

/// The shortest time from one request to the next. More requests would load the client and the server.
const LEAST: Duration = Duration::from_millis(5);

/// B's own requests must not wait for each other. If all of them need one core or one worker, it is idle for
/// half of the time …
const IDLE: u32 = 2;

/// … unless fewer than this many requests would fall into A's time. Then it is idle for a fifth of the time.
const FEW: u32 = 20;

/// How long to wait from one request to B to the next, if A is expected to take `a`, such as what it took in
/// the round before. At most about 200 requests fall into that time, and about twenty if B is slow; there are
/// at least 5 ms from one to the next, and never so little time that B would hold itself up.
///
/// The requests alternate: one has a fresh connection, and the next one goes over the kept connection that
/// has been idle for the longest time, if one is idle.
pub fn pace(alone: &[Sample], a: Duration) -> Duration {
    let mut times: Vec<_> = alone
        .iter()
        .filter_map(|sample| Lane::duration(&sample.lane))
        .collect();
    times.sort_unstable();
    // What B really needs: noise only makes it take longer.
    let needs = times.get(times.len() / 4).copied().unwrap_or_default();
    let least = needs.saturating_add(needs / 4);
    let rather = needs.saturating_mul(IDLE).min(a / FEW);
    least.max(rather).max(a / MOST).max(LEAST)
}
