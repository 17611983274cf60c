//! The line at which the requests of a round wait until all connections are established.
//!
//! To connect takes several times as long as to send a request. Without the line, the last of many requests would
//! start when the first ones have been running for some time.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::recorder::LaneRecorder;
use holdup_model::Lane;

/// With fewer requests than this, all are sent within a millisecond or two, so that each is sent as soon as its
/// connection is established.
const FEWEST: usize = 17;

/// If no further connection is established within this time, the others are not waited for. A server may accept
/// them only after it has answered the first requests.
const PATIENCE: Duration = Duration::from_millis(50);

/// The longest time for which the first connection waits for the others. A server may close one on which no request
/// comes.
const LONGEST: Duration = Duration::from_secs(1);

/// Where the requests of a round start.
#[derive(Debug)]
pub(super) struct StartLine(Mutex<Line>);

#[derive(Debug)]
struct Line {
    /// How many requests have not arrived yet.
    missing: usize,
    waiting: Vec<Waker>,
    /// When the first one arrived.
    first: Option<Instant>,
    /// When the latest one arrived.
    latest: Option<Instant>,
    /// Since when the requests may start.
    open: Option<Instant>,
    /// The shortest time in which a connection was established.
    fastest: Duration,
}

impl Line {
    fn open(&mut self) {
        self.open.get_or_insert_with(Instant::now);
        for waiting in self.waiting.drain(..) {
            waiting.wake();
        }
    }
}

impl StartLine {
    /// A line for so many requests; `None` if they are too few to need one.
    pub(super) fn of(requests: usize) -> Option<Self> {
        let line = Line {
            missing: requests,
            waiting: Vec::new(),
            first: None,
            latest: None,
            open: None,
            fastest: Duration::MAX,
        };
        (requests >= FEWEST).then(|| Self(Mutex::new(line)))
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request does not arrive, because its connection failed. If it has arrived, the line is open, and nothing
    /// changes.
    pub(super) fn leave(&self) {
        let mut line = self.lock();
        if line.open.is_none() {
            line.missing = line.missing.saturating_sub(1);
            if line.missing == 0 {
                line.open();
            }
        }
    }

    /// Opens the line if no request has arrived for some time, or if the first one has waited for long. Those that have not arrived start when they do.
    pub(super) fn open_if_stuck(&self) {
        let mut line = self.lock();
        let has_passed = |time, at: Option<Instant>| at.is_some_and(|at| at.elapsed() >= time);
        let is_stuck = has_passed(PATIENCE, line.latest) || has_passed(LONGEST, line.first);
        if line.open.is_none() && is_stuck {
            line.open();
        }
    }

    /// Waits until the requests may start, with a connection whose lane began when it was begun to be opened.
    ///
    /// The lane begins anew as if the request had been sent as soon as its connection was established, and as if
    /// that had taken as long as for the fastest one of the round. The others were slower mainly because of each
    /// other, and have waited here. A connection that was not waited for has taken as long as it took.
    pub(super) async fn wait(&self, recorder: LaneRecorder<'_>) {
        let now = recorder.now();
        let begun = recorder.lane(Lane::requested_at);
        let waits = {
            let mut line = self.lock();
            line.fastest = line.fastest.min(now.saturating_sub(begun));
            line.latest = Some(Instant::now());
            line.first = line.first.or(line.latest);
            line.open.is_none()
        };
        self.leave();
        poll_fn(|context| {
            let mut line = self.lock();
            if line.open.is_some() {
                return Poll::Ready(());
            }
            line.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
        let line = self.lock();
        let open = line.open.unwrap_or_else(Instant::now);
        let opened = open.saturating_duration_since(recorder.client.clock);
        let started = if waits { recorder.now() } else { opened };
        let fastest = line.fastest;
        // The prober may have begun it only after the line was open.
        let asked = started.saturating_sub(fastest).max(begun);
        drop(line);
        recorder.record(|lane, _| begin_anew(lane, asked, waits.then_some(fastest)));
    }
}

/// The lane of a request that is sent only now, `connecting` at most after it was asked for.
fn begin_anew(lane: &mut Lane, asked: Duration, connecting: Option<Duration>) {
    let took = lane.connecting().unwrap_or_default();
    let (connected, took) = match connecting {
        Some(most) => (asked + took.min(most), took.min(most)),
        None => (lane.connected_at().unwrap_or(asked).max(asked), took),
    };
    *lane = Lane::start(lane.label(), asked);
    lane.record_connect_that_took(connected, took);
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn connected(after: u64) -> Lane {
        let mut lane = Lane::start("/", ms(1000));
        lane.record_connect(ms(1000 + after));
        lane
    }

    #[test]
    fn the_time_at_the_line_is_left_out() {
        let mut lane = connected(9);
        begin_anew(&mut lane, ms(1500), Some(ms(4)));
        assert_eq!(lane.requested_at(), ms(1500));
        assert_eq!(lane.connecting(), Some(ms(4)));
        let mut lane = connected(2);
        begin_anew(&mut lane, ms(1500), Some(ms(4)));
        assert_eq!(lane.connecting(), Some(ms(2)));
    }

    #[test]
    fn a_connection_that_was_not_waited_for_has_taken_its_time() {
        let mut lane = connected(1003);
        begin_anew(&mut lane, ms(1100), None);
        assert_eq!(lane.requested_at(), ms(1100));
        assert_eq!(lane.connected_at(), Some(ms(2003)));
        assert_eq!(lane.connecting(), Some(ms(1003)));
        // TLS may take longer than the others waited.
        let mut lane = connected(2);
        begin_anew(&mut lane, ms(1100), None);
        assert_eq!(lane.connected_at(), Some(ms(1100)));
        assert_eq!(lane.connecting(), Some(ms(2)));
    }

    #[test]
    fn few_requests_need_no_line() {
        assert!(StartLine::of(FEWEST - 1).is_none());
        assert!(StartLine::of(FEWEST).is_some());
    }

    #[test]
    fn it_opens_when_nobody_is_missing() {
        let is_open = |line: &StartLine| line.lock().open.is_some();
        let line = StartLine::of(FEWEST).expect("a line");
        for _ in 1..FEWEST {
            line.leave();
        }
        assert!(!is_open(&line));
        line.open_if_stuck();
        assert!(!is_open(&line), "none has arrived that could wait");
        line.leave();
        assert!(is_open(&line));
    }
}
