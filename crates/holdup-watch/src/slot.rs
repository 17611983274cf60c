//! What one worker shows to the others. The worker writes and never waits; anybody may read.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::task::AtomicWaker;

use super::hold::{Part, code, part};
use super::route::Routes;
use super::shared::Shared;
use super::sockets::Sockets;
use super::stretch::Stretch;
use super::system;

/// One worker, seen from outside.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) worker: usize,
    pub(super) routes: Arc<Routes>,
    pub(super) thread: Option<u32>,
    alive: AtomicBool,
    /// The piece of work in progress: 0 for none, else its route and part.
    piece: AtomicU64,
    piece_request: AtomicU64,
    piece_since: AtomicU64,
    polls: AtomicU64,
    /// When the latest piece of work, or stretch of them, ended.
    last_end: AtomicU64,
    open: AtomicUsize,
    /// Since when a stretch lasts that waits for the loop's turn; 0 for none.
    pending_start: AtomicU64,
    /// When its latest piece ended.
    pending_end: AtomicU64,
    /// That stretch, as of its latest piece or an earlier one.
    pending: Mutex<Stretch>,
    /// When the heartbeat was asked for; 0 when it was answered, [`NO_BEAT`] when there is none.
    beat_asked: AtomicU64,
    /// When what answers it had been woken. The monitor may lose its turn between the two.
    beat_sent: AtomicU64,
    pub(super) beat: AtomicWaker,
    pub(super) sockets: Sockets,
    /// The thread's time in the run queue, at two times: from before the stretch that lasts, and at the
    /// first look in it; or at the latest two.
    run_delays: Mutex<[Sample; 2]>,
}

/// A thread's time in the run queue up to a time, both in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: u64,
    run_delay: u64,
}

/// Instead of a time: the loop that would answer is gone.
const NO_BEAT: u64 = u64::MAX;

/// A sample taken longer than this before a stretch tells too much of what was before it.
const SAMPLE_AGE: u64 = 200_000_000;

/// How long a worker's thread was in the run queue in a stretch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delay {
    /// At most, nanoseconds: what was shortly before the stretch may be in it.
    pub(super) at_most: u64,
    /// Whether that is so short a time that it hardly matters.
    pub(super) is_exact: bool,
}

impl Delay {
    /// In a stretch that began at `start` and has just ended, at that time in the run queue.
    fn between(start: u64, samples: &[Sample], run_delay: u64) -> Option<Self> {
        // Up to a sample within the stretch, all of it may have been spent there.
        let at_most = |sample: &Sample| {
            run_delay.saturating_sub(sample.run_delay) + sample.at.saturating_sub(start)
        };
        let is_close = |sample: &Sample| sample.at <= start && start - sample.at <= SAMPLE_AGE;
        Some(Self {
            at_most: samples.iter().map(at_most).min()?,
            is_exact: samples.iter().any(is_close),
        })
    }

    pub(super) fn at_most(self, time: u64) -> Self {
        let at_most = self.at_most.min(time);
        Self { at_most, ..self }
    }
}

/// A stretch that is not over, as seen from outside.
#[derive(Debug)]
pub(super) struct Ongoing {
    pub(super) stretch: Stretch,
    /// False when the last piece has ended and only the loop's turn is missing.
    pub(super) in_piece: bool,
}

impl Slot {
    /// For the calling thread.
    pub(super) fn new(worker: usize, now: u64) -> Arc<Self> {
        let thread = system::thread_number();
        let run_delay = system::run_delay(thread).unwrap_or(0);
        Arc::new(Self {
            worker,
            routes: Routes::new(),
            thread,
            alive: AtomicBool::new(true),
            piece: AtomicU64::new(0),
            piece_request: AtomicU64::new(0),
            piece_since: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            last_end: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            pending_start: AtomicU64::new(0),
            pending_end: AtomicU64::new(0),
            pending: Mutex::new(Stretch::default()),
            beat_asked: AtomicU64::new(0),
            beat_sent: AtomicU64::new(0),
            beat: AtomicWaker::new(),
            sockets: Sockets::new(),
            run_delays: Mutex::new([Sample { at: now, run_delay }; 2]),
        })
    }

    // The worker's side.

    #[inline]
    pub(super) fn enter(&self, request: u64, route: NonZeroU32, part: Part, since: u64) {
        self.piece_request.store(request, Ordering::Relaxed);
        self.piece_since.store(since, Ordering::Relaxed);
        self.piece.store(
            (u64::from(route.get()) << 8) | code(part),
            Ordering::Release,
        );
    }

    #[inline]
    pub(super) fn leave(&self, now: u64) {
        self.last_end.store(now, Ordering::Relaxed);
        self.piece.store(0, Ordering::Release);
        // The worker is the only writer, so this need not be one atomic step.
        self.polls
            .store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Shows the stretch that waits for the loop's turn. Its pieces are left out while somebody
    /// is looking at earlier ones.
    pub(super) fn show_pending(&self, stretch: &Stretch) {
        if let Ok(mut pending) = self.pending.try_lock() {
            pending.clone_from(stretch);
        }
        self.pending_end.store(stretch.end, Ordering::Relaxed);
        self.pending_start.store(stretch.start, Ordering::Release);
    }

    /// The loop has turned.
    pub(super) fn clear_pending(&self) {
        self.pending_start.store(0, Ordering::Release);
    }

    pub(super) fn set_last_end(&self, now: u64) {
        self.last_end.store(now, Ordering::Relaxed);
    }

    pub(super) fn set_open(&self, open: usize) {
        self.open.store(open, Ordering::Relaxed);
    }

    /// The heartbeat that was asked for, if one was, is answered.
    pub(super) fn answer_beat(&self) {
        self.beat_asked.store(0, Ordering::Release);
    }

    /// From now on nothing answers.
    pub(super) fn stop_beat(&self) {
        self.beat_asked.store(NO_BEAT, Ordering::Release);
    }

    pub(super) fn end(&self) {
        self.alive.store(false, Ordering::Release);
    }

    /// How long the worker's thread was in the run queue in a stretch that began at `start` and
    /// ends now; `None` when that is not known.
    pub(super) fn delay_since(&self, start: u64) -> Option<Delay> {
        let samples = *self.run_delays.try_lock().ok()?;
        Delay::between(start, &samples, system::run_delay(self.thread)?)
    }

    // The others' side.

    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    pub(super) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    pub(super) fn last_end(&self) -> u64 {
        self.last_end.load(Ordering::Relaxed)
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Asks for a heartbeat, unless the last one is still to come; then, [since when](Self::unanswered).
    pub(super) fn ask_beat(&self, now: u64) -> Option<u64> {
        match self
            .beat_asked
            .compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => {
                self.beat.wake();
                self.beat_sent.store(system::now(), Ordering::Release);
                None
            }
            Err(_) => self.unanswered(),
        }
    }

    /// Since when a heartbeat is asked for and not answered.
    pub(super) fn unanswered(&self) -> Option<u64> {
        let asked = self.beat_asked.load(Ordering::Acquire);
        if asked == 0 || asked == NO_BEAT {
            return None;
        }
        let sent = self.beat_sent.load(Ordering::Acquire);
        (sent >= asked).then_some(sent)
    }

    /// Notes the thread's time in the run queue, but keeps a note from before the stretch that
    /// lasts since `start`.
    pub(super) fn sample(&self, start: Option<u64>) {
        let Some(run_delay) = system::run_delay(self.thread) else {
            return;
        };
        // Only now: who reads it may lose its turn before.
        let at = system::now();
        let mut samples = self
            .run_delays
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if start.is_none_or(|start| start > samples[1].at) {
            *samples = [samples[1], Sample { at, run_delay }];
        }
    }

    /// Whether the worker is still in the hold that began then.
    pub(super) fn is_in(&self, shared: &Shared, started: Duration) -> bool {
        let start = match self.ongoing(system::now()) {
            Some(ongoing) => Some(ongoing.stretch.start),
            None => self.unanswered().map(|asked| asked.max(self.last_end())),
        };
        [start, self.sockets.unseen()]
            .into_iter()
            .flatten()
            .any(|start| shared.since_origin(start) == started)
    }

    /// The stretch that is not over at `now`: a piece of work is in progress, or the loop has not
    /// turned since. `None` when there is none, or when it changes too fast to be long.
    pub(super) fn ongoing(&self, now: u64) -> Option<Ongoing> {
        let piece = self.piece.load(Ordering::Acquire);
        let request = self.piece_request.load(Ordering::Relaxed);
        let published = self.piece_since.load(Ordering::Relaxed);
        let pending_start = self.pending_start.load(Ordering::Acquire);
        let pending = self
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let unchanged = piece == self.piece.load(Ordering::Acquire)
            && published == self.piece_since.load(Ordering::Acquire);
        if !unchanged || (piece == 0 && pending_start == 0) {
            return None;
        }
        let since = system::at_the_latest(published).min(now);
        let start = if pending_start > 0 {
            pending_start
        } else {
            since
        };
        let known = pending_start > 0 && pending.start == pending_start;
        let mut stretch = if known {
            pending
        } else {
            Stretch::between(start, start)
        };
        if pending_start > 0 {
            stretch.end = stretch.end.max(self.pending_end.load(Ordering::Relaxed));
        }
        let route = u32::try_from(piece >> 8).ok().and_then(NonZeroU32::new);
        if let Some(route) = route {
            stretch.add(request, route, part(piece & 0xff), since, now.max(since));
        }
        Some(Ongoing {
            stretch,
            in_piece: piece > 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// The most that it was in the run queue from 1000 ms on, of samples of (at ms, ms in the run queue).
    fn delay(samples: [(u64, u64); 2], run_delay: u64) -> (u64, bool) {
        let samples = samples.map(|(at, run_delay)| Sample {
            at: at * MS,
            run_delay: run_delay * MS,
        });
        let delay = Delay::between(1000 * MS, &samples, run_delay * MS).expect("two samples");
        (delay.at_most / MS, delay.is_exact)
    }

    #[test]
    fn what_was_in_the_run_queue_before_is_taken_off_with_it_up_to_the_first_look() {
        // Looked at shortly before only; and in it, too.
        assert_eq!(delay([(960, 7), (985, 7)], 17), (10, true));
        assert_eq!(delay([(985, 7), (1010, 57)], 57), (10, true));
        // Nobody looked for long.
        assert_eq!(delay([(600, 7), (700, 7)], 307), (300, false));
        assert_eq!(delay([(700, 7), (1250, 7)], 57), (50, false));
    }
}
