//! From lanes to comparable numbers, or the reason why they cannot be compared.

use std::time::Duration;

use super::reason::Reason;
use super::staircase::Solo;
use holdup_model::{Failure, Lane};

/// The shortest solo time that is judged. For shorter requests, accepting connections and waking tasks take
/// as long as the request itself.
const MIN_SOLO: Duration = Duration::from_millis(10);

/// The least time that running one at a time must add to the makespan. A busy machine keeps a thread waiting
/// for some tens of milliseconds, which must not be mistaken for a step.
const MIN_SPREAD: Duration = Duration::from_millis(50);

/// Two solo times may differ by this factor. Beyond it, a step of one and a half of the shorter
/// time could be one of the longer.
const SOLO_RATIO: f64 = 1.5;

/// Two solo times may differ by this, whatever their ratio: the noise of one measurement.
const SOLO_NOISE: Duration = Duration::from_millis(10);

/// Round trips that a request surely takes: one to connect, one to ask.
const SURE_ROUND_TRIPS: u32 = 2;

/// Round trips that a request may take: two more for a TLS handshake.
const POSSIBLE_ROUND_TRIPS: u32 = 4;

/// The largest fraction of the solo time that may be the network's. Above it, the server's own steps are too
/// small to be distinguished from noise.
const MAX_NETWORK_SHARE: f64 = 0.5;

/// Requests count as sent at once if all are sent within this fraction of the solo time. A quarter shifts a
/// finish by less than half a step.
const ASKED_WITHIN: f64 = 0.25;

/// If connecting takes this much longer than it does alone, the first attempt was dropped: TCP retries after
/// one second, and timers are early by a few percent at most.
const SYN_RETRY: Duration = Duration::from_millis(900);

/// An error that arrives sooner was returned immediately; a later one may have waited. Pools wait for at
/// least some tenths of a second before they give up.
const MIN_WAIT: Duration = Duration::from_millis(100);

/// Errors count as having waited equally long if their times differ by at most this fraction. Requests that
/// are sent together reach the same time-out together.
const SAME_WAIT: f64 = 0.15;

/// What the staircase is read from.
#[derive(Debug)]
pub(super) struct Measures {
    /// The time that the server needs for one request, in seconds.
    pub(super) solo: Solo,
    /// The time of each concurrent request in seconds, without the network's part, shortest first.
    pub(super) times: Vec<f64>,
    /// Set if some requests reached the server a second after they were sent. The times are complete then,
    /// but they cannot be used as they are.
    pub(super) slow_connects: Option<SlowConnects>,
}

/// Requests whose first attempt to connect was dropped.
#[derive(Debug)]
pub(super) struct SlowConnects {
    pub(super) count: usize,
    /// The times of all others, shortest first.
    pub(super) others: Vec<f64>,
}

impl Measures {
    pub(super) fn take(alone: &[Lane], at_once: &[Lane]) -> Result<Self, Reason> {
        all_answered(alone, true)?;
        same_status(alone, &[])?;
        if at_once.len() < 2 {
            return Err(Reason::TooFew);
        }
        all_answered(at_once, false)?;
        same_status(alone, at_once)?;
        let alone_times = alone.iter().filter_map(Lane::duration);
        let (Some(low), Some(high)) = (alone_times.clone().min(), alone_times.max()) else {
            return Err(Reason::NoSolo);
        };
        let round_trip = alone.iter().filter_map(Lane::connecting).min();
        let round_trip = round_trip.unwrap_or_default();
        let network = round_trip.saturating_mul(SURE_ROUND_TRIPS);
        let (work_low, work_high) = (low.saturating_sub(network), high.saturating_sub(network));

        let others = u32::try_from(at_once.len() - 1).unwrap_or(u32::MAX);
        if low < MIN_SOLO || low.saturating_mul(others) < MIN_SPREAD {
            return Err(Reason::TooShort);
        }
        let possible = round_trip.saturating_mul(POSSIBLE_ROUND_TRIPS);
        if possible.as_secs_f64() > low.as_secs_f64() * MAX_NETWORK_SHARE {
            return Err(Reason::Distant { round_trip });
        }
        let differ = work_high.as_secs_f64() > work_low.as_secs_f64() * SOLO_RATIO;
        if differ && work_high > work_low.saturating_add(SOLO_NOISE) {
            return Err(Reason::SoloVaries { low, high });
        }

        let asked = at_once.iter().map(Lane::requested_at);
        let asked_within = asked
            .clone()
            .max()
            .unwrap_or_default()
            .saturating_sub(asked.min().unwrap_or_default());
        if asked_within.as_secs_f64() > work_low.as_secs_f64() * ASKED_WITHIN {
            return Err(Reason::NotAtOnce);
        }

        let slow = |lane: &&Lane| {
            let connecting = lane.connecting().unwrap_or_default();
            connecting >= round_trip.saturating_add(SYN_RETRY)
        };
        let count = at_once.iter().filter(slow).count();
        let slow_connects = (count > 0).then(|| SlowConnects {
            count,
            others: times(at_once.iter().filter(|lane| !slow(lane)), network),
        });
        Ok(Self {
            solo: Solo {
                low: work_low.as_secs_f64(),
                high: work_high.as_secs_f64(),
            },
            times: times(at_once.iter(), network),
            slow_connects,
        })
    }
}

/// The server's time for each request, in seconds, shortest first.
fn times<'a>(lanes: impl Iterator<Item = &'a Lane>, network: Duration) -> Vec<f64> {
    let mut times: Vec<_> = lanes
        .filter_map(Lane::duration)
        .map(|time| time.saturating_sub(network).as_secs_f64())
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

pub(super) fn all_answered(lanes: &[Lane], alone: bool) -> Result<(), Reason> {
    let mut unanswered = lanes.iter().filter(|lane| lane.finished_at().is_none());
    let Some(first) = unanswered.next() else {
        return Ok(());
    };
    let what = match first.failure() {
        Some(Failure::WebSocket) => return Err(Reason::WebSocket),
        Some(Failure::Endless { chunks }) if alone => {
            return Err(Reason::Endless { chunks: *chunks });
        }
        Some(failure) => failure.to_string(),
        None => "no end".to_owned(),
    };
    Err(Reason::Failed {
        count: 1 + unanswered.count(),
        what,
        alone,
    })
}

/// Errors may come faster or slower than answers, and another status (a redirect to a log-in, say) means
/// different work.
pub(super) fn same_status(alone: &[Lane], at_once: &[Lane]) -> Result<(), Reason> {
    let expected = alone.iter().find_map(Lane::status);
    for (lanes, alone) in [(alone, true), (at_once, false)] {
        let odd: Vec<_> = lanes.iter().filter(|lane| is_odd(lane, expected)).collect();
        if let Some(status) = odd.first().and_then(|lane| lane.status()) {
            return Err(Reason::Status {
                count: odd.len(),
                status,
                alone,
                after: waited(&odd).filter(|_| !alone),
                well: None,
            });
        }
    }
    Ok(())
}

/// Whether a lane has another status than is expected, or an error's.
pub(super) fn is_odd(lane: &Lane, expected: Option<u16>) -> bool {
    lane.status()
        .is_some_and(|status| status >= 400 || expected.is_some_and(|expected| expected != status))
}

/// How long the requests in `odd` waited, if there are several, all waited equally long, and the network does
/// not account for it.
fn waited(odd: &[&Lane]) -> Option<Duration> {
    let times = || odd.iter().filter_map(|lane| lane.duration());
    let (low, high) = (times().min()?, times().max()?);
    let same = high.saturating_sub(low) <= high.mul_f64(SAME_WAIT);
    (odd.len() > 1 && low >= MIN_WAIT && same).then_some(low)
}
