//! Decides which of a watch's events are worth a line.
//!
//! Every hold is: its beginning, its state about twice a second, and its end. Of the requests, those are that hold a worker,
//! that are held up, or that are slow. Whether a request is one of them is often known only when it has ended, so its
//! beginning is kept until then. All others are counted.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use holdup_model::{Activity, Event, Hold, Line};

use super::entry::Entry;

/// A request that loses less is not held up in a way that anybody notices.
const SHORTEST_LOSS: Duration = Duration::from_millis(10);

/// A request that takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);

/// A hold that lasts is written again after this time: so the record of a process that was killed knows of it up to a
/// second before.
const AGAIN: Duration = Duration::from_millis(500);

/// The most requests whose beginnings are kept. A worker that serves more has other problems.
const OPEN: usize = 20_000;

/// The requests that are recorded in the long run, each second, and how many at a time: as many as the page draws.
const HELD_UP: Pace = Pace::new(20, 100);
const SLOW_ONES: Pace = Pace::new(5, 50);

/// Those that are open while their worker is held, of which nobody knows yet whether they lose anything. They must not
/// take the places of those that did.
const BESIDE: Pace = Pace::new(5, 50);

/// What is known of the open requests and of the holds, to decide what is worth a line.
#[derive(Debug)]
pub struct Selection {
    open: BTreeMap<u64, Open>,
    held: HashMap<(usize, Duration), Held>,
    held_up: Pace,
    slow: Pace,
    beside: Pace,
    counts: Counts,
}

/// What was counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The requests that came.
    pub requests: u64,
    /// Those that were answered completely.
    pub finished: u64,
    /// Those that were cut off.
    pub unfinished: u64,
    /// Those that were worth a line, and got none, and those that came while too many others were open.
    pub left_out: u64,
}

/// A request that is open.
#[derive(Debug)]
struct Open {
    opened: Event,
    at: Duration,
    worker: usize,
    answered: Option<Event>,
    /// Whether its beginning is written into the current segment, and whether it was into any.
    is_written: bool,
    was_written: bool,
}

/// A hold that lasts, as it was last written.
#[derive(Debug)]
struct Held {
    written: Duration,
    line: Option<Line>,
    activity: Option<Activity>,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            held: HashMap::new(),
            held_up: HELD_UP,
            slow: SLOW_ONES,
            beside: BESIDE,
            counts: Counts::default(),
        }
    }
}

impl Selection {
    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether no request is open and no hold lasts.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.held.is_empty()
    }

    /// Whether a hold lasts.
    pub fn has_holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes an event, and passes what is to be written to `write`.
    pub fn take(&mut self, event: Event, write: &mut impl FnMut(Entry)) {
        match &event {
            Event::Opened {
                lane, at, worker, ..
            } => {
                self.counts.requests += 1;
                let (lane, open) = (
                    *lane,
                    Open {
                        at: *at,
                        worker: *worker,
                        opened: event,
                        answered: None,
                        is_written: false,
                        was_written: false,
                    },
                );
                if self.open.len() >= OPEN {
                    self.counts.left_out += 1;
                } else {
                    self.open.insert(lane, open);
                }
            }
            Event::Answered { lane, .. } => {
                if let Some(open) = self.open.get_mut(lane) {
                    if open.is_written {
                        write(Entry::Event(event));
                    } else {
                        open.answered = Some(event);
                    }
                }
            }
            Event::Ended { .. } => self.ended(event, write),
            Event::Held(hold) | Event::Updated(hold) => {
                let hold = hold.clone();
                self.lasts(&hold, event, write);
            }
            Event::Released(hold) => {
                self.held.remove(&key(hold));
                self.write_culprits(hold, write);
                write(Entry::Event(event));
            }
            // Of one that was never written, nobody needs to know.
            Event::Withdrawn(hold) if self.held.remove(&key(hold)).is_some() => {
                write(Entry::Event(event));
            }
            Event::Lost { .. } => {
                // The ends of any open requests and holds may be among the lost events.
                self.open.clear();
                self.held.clear();
                write(Entry::Event(event));
            }
            _ => {}
        }
    }

    /// Takes the passing of time: requests that have become slow are written while they are open.
    pub fn tick(&mut self, now: Duration, write: &mut impl FnMut(Entry)) {
        self.held_up.advance(now);
        self.slow.advance(now);
        self.beside.advance(now);
        for open in self.open.values_mut() {
            if now.saturating_sub(open.at) < SLOW {
                // The others came later.
                break;
            }
            if !open.is_written && (open.was_written || self.slow.take()) {
                open.write(write);
            }
        }
    }

    /// Takes that a new segment has begun: what is open and is written there again, so that it can be read alone.
    pub fn new_segment(&mut self) {
        for open in self.open.values_mut() {
            open.is_written = false;
        }
        self.held
            .values_mut()
            .for_each(|held| held.written = Duration::ZERO);
    }

    fn ended(&mut self, event: Event, write: &mut impl FnMut(Entry)) {
        let Event::Ended {
            lane,
            at,
            finished,
            spent,
        } = &event
        else {
            return;
        };
        if *finished {
            self.counts.finished += 1;
        } else {
            self.counts.unfinished += 1;
        }
        let Some(mut open) = self.open.remove(lane) else {
            return;
        };
        if !open.is_written {
            let is_held_up = spent.held_up >= SHORTEST_LOSS;
            let is_slow = at.saturating_sub(open.at) >= SLOW;
            if !open.was_written && !is_held_up && !is_slow {
                return;
            }
            let has_room = open.was_written
                || is_held_up && self.held_up.take()
                || is_slow && self.slow.take();
            if !has_room {
                self.counts.left_out += 1;
                return;
            }
            open.write(write);
        }
        write(Entry::Event(event));
    }

    /// A hold begins or lasts.
    fn lasts(&mut self, hold: &Hold, event: Event, write: &mut impl FnMut(Entry)) {
        let now = hold.started + hold.duration;
        let mut line = hold.lines.first().cloned();
        if let Some(line) = &mut line {
            line.samples = 1;
        }
        if let Some(held) = self.held.get(&key(hold)) {
            let is_same = held.line == line && held.activity == hold.activity;
            if is_same && now.saturating_sub(held.written) < AGAIN {
                return;
            }
        }
        let lasts = Held {
            written: now,
            line,
            activity: hold.activity.clone(),
        };
        self.held.insert(key(hold), lasts);
        self.write_culprits(hold, write);
        // Those that it may hold up, the oldest first. What was written once is written again in each segment.
        for open in self.open.values_mut() {
            let is_missing = open.worker == hold.worker && !open.is_written;
            if is_missing && (open.was_written || self.beside.take()) {
                open.write(write);
            }
        }
        write(Entry::Event(event));
    }

    /// Writes the requests that hold a worker.
    fn write_culprits(&mut self, hold: &Hold, write: &mut impl FnMut(Entry)) {
        for lane in hold.culprits.iter().filter_map(|culprit| culprit.lane) {
            if let Some(open) = self.open.get_mut(&lane).filter(|open| !open.is_written) {
                open.write(write);
            }
        }
    }
}

fn key(hold: &Hold) -> (usize, Duration) {
    (hold.worker, hold.started)
}

impl Open {
    fn write(&mut self, write: &mut impl FnMut(Entry)) {
        (self.is_written, self.was_written) = (true, true);
        write(Entry::Event(self.opened.clone()));
        if let Some(answered) = &self.answered {
            write(Entry::Event(answered.clone()));
        }
    }
}

/// Allows so many a second in the long run, and so many at a time.
#[derive(Debug, Clone, Copy)]
struct Pace {
    a_second: u32,
    most: u32,
    /// How many may be taken now, and since when that is counted.
    left: u32,
    at: Duration,
}

impl Pace {
    const fn new(a_second: u32, most: u32) -> Self {
        Self {
            a_second,
            most,
            left: most,
            at: Duration::ZERO,
        }
    }

    /// Once a second, as many may be taken as that second allows.
    fn advance(&mut self, now: Duration) {
        let seconds = u32::try_from(now.saturating_sub(self.at).as_secs()).unwrap_or(u32::MAX);
        if seconds > 0 {
            self.at = now;
            let more = self.a_second.saturating_mul(seconds);
            self.left = self.left.saturating_add(more).min(self.most);
        }
    }

    /// Takes one, if there is one left.
    fn take(&mut self) -> bool {
        let is_left = self.left > 0;
        self.left -= u32::from(is_left);
        is_left
    }
}

#[cfg(test)]
mod tests;
