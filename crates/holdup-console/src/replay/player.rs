//! The place in a record at which a replay is, and the scene there. No I/O and no clock.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use super::control::{At, Control, Mark, Replaying};
use super::scene::Scene;
use holdup_model::millis::Millis;
use holdup_model::{Event, Hold};
use holdup_record::{Entry, Gaps, Record, Span};

/// It begins so long before the longest hold.
const BEFORE: Duration = Duration::from_secs(2);

/// What ended longer before the scene is not on the page, nor what a lane's place depends on.
const SHOWN: Duration = Duration::from_secs(70);

/// How far time passes at once when the scene is made anew: lanes get their places in its course.
const STEP: Duration = Duration::from_millis(250);

/// Browsers know no later dates, and a damaged header may have one. It is in the year 33658.
const LATEST: u64 = 1_000_000_000_000_000;

/// The most holds that are marked.
const MARKS: usize = 200;

/// A replay.
#[derive(Debug)]
pub(super) struct Player {
    record: Record,
    span: Span,
    most_lanes: usize,
    marks: Vec<Mark>,
    gaps: Gaps,
    /// When each request ended, as far as that is recorded.
    ends: HashMap<u64, Duration>,
    now: Duration,
    /// The first entry that is not applied.
    next: usize,
    playing: bool,
    speed: f64,
    pub(super) scene: Scene,
}

impl Player {
    pub(super) fn new(record: Record, most_lanes: usize) -> Self {
        let span = record.span();
        let holds = record.holds();
        let ended = |entry: &Entry| match entry {
            Entry::Event(Event::Ended { lane, at, .. }) => Some((*lane, *at)),
            _ => None,
        };
        let longest = holds.iter().max_by_key(|hold| hold.duration);
        let first = longest.map_or(span.from, |hold| hold.started.saturating_sub(BEFORE));
        let mut player = Self {
            ends: record.entries.iter().filter_map(ended).collect(),
            scene: scene(&record, most_lanes),
            marks: marks(holds),
            gaps: record.gaps(),
            span,
            most_lanes,
            now: span.from,
            next: 0,
            playing: false,
            speed: 1.0,
            record,
        };
        player.seek(first);
        player
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }

    pub(super) fn threshold(&self) -> Duration {
        self.record.header.threshold
    }

    pub(super) fn most_lanes(&self) -> usize {
        self.most_lanes
    }

    /// Whether it plays, how fast, and where it is.
    pub(super) fn place(&self) -> (bool, f64, Duration) {
        (self.playing, self.speed, self.now)
    }

    pub(super) fn play(&mut self) {
        self.playing = true;
    }

    /// Does what a reader asks for. Returns whether the scene was made anew.
    pub(super) fn control(&mut self, control: Control) -> bool {
        self.playing = control.playing.unwrap_or(self.playing);
        self.speed = control.speed.unwrap_or(self.speed);
        match control.at_ms {
            Some(At(at)) => self.seek(at),
            // Whoever plays it at its end wants to see it again.
            None if control.playing == Some(true) && self.now >= self.span.to => {
                self.seek(self.span.from);
            }
            None => return false,
        }
        true
    }

    /// Plays for a time. At the end of the record, it pauses.
    pub(super) fn advance(&mut self, passed: Duration) {
        if !self.playing {
            return;
        }
        let to = self.now + passed.mul_f64(self.speed);
        if to >= self.span.to {
            self.playing = false;
        }
        self.pass(to.min(self.span.to));
    }

    /// Makes the scene as it was at a time.
    fn seek(&mut self, to: Duration) {
        let to = to.clamp(self.span.from, self.span.to);
        self.scene = scene(&self.record, self.most_lanes);
        (self.next, self.now) = (0, Duration::ZERO);
        let begin = to.saturating_sub(SHOWN);
        // Of these, only the latest ones matter.
        let (mut load, mut survey, mut victims) = (None, None, None);
        while let Some(entry) = self.record.entries.get(self.next) {
            if time(entry, self.now) > begin {
                break;
            }
            self.now = time(entry, self.now);
            self.next += 1;
            match entry {
                Entry::Load(_) => load = Some(entry),
                Entry::Survey(_) => survey = Some(entry),
                Entry::Victims(_) => victims = Some(entry),
                _ if self.is_over(entry, begin) => {}
                _ => self.scene.apply(entry.clone(), &self.record.cut),
            }
        }
        for latest in [load, survey, victims].into_iter().flatten() {
            self.scene.apply(latest.clone(), &self.record.cut);
        }
        self.now = begin;
        self.pass(to);
        // Before the first of them.
        if self.scene.workers.is_empty() {
            let first = self.record.entries.iter().find_map(|entry| match entry {
                Entry::Load(load) => Some(load),
                _ => None,
            });
            if let Some(load) = first {
                self.scene.load(load);
            }
        }
        self.scene.advance(to);
    }

    /// Whether an entry is about a request that was over before `begin`.
    fn is_over(&self, entry: &Entry, begin: Duration) -> bool {
        let Entry::Event(
            Event::Opened { lane, .. } | Event::Answered { lane, .. } | Event::Ended { lane, .. },
        ) = entry
        else {
            return false;
        };
        self.ends.get(lane).is_some_and(|&end| end <= begin)
    }

    /// Lets time pass up to a time, in steps as far as it is shown.
    fn pass(&mut self, to: Duration) {
        let shown = to.saturating_sub(SHOWN);
        if shown > self.now {
            self.run(shown);
        }
        while self.now < to {
            self.run((self.now + STEP).min(to));
        }
    }

    /// Applies all entries up to a time at once.
    fn run(&mut self, to: Duration) {
        while let Some(entry) = self.record.entries.get(self.next) {
            if time(entry, self.now) > to {
                break;
            }
            self.next += 1;
            self.scene.apply(entry.clone(), &self.record.cut);
        }
        self.now = to;
        self.scene.advance(to);
    }

    pub(super) fn state(&self) -> Replaying {
        let Gaps {
            damaged,
            missing,
            lost,
            left_out,
        } = self.gaps;
        Replaying {
            playing: self.playing,
            speed: self.speed,
            at_ms: Millis(self.now),
            from_ms: Millis(self.span.from),
            to_ms: Millis(self.span.to),
            origin_unix_ms: self.record.header.origin_unix_ms.min(LATEST),
            holds: self.marks.clone(),
            damaged,
            missing,
            lost,
            left_out,
        }
    }
}

fn scene(record: &Record, most_lanes: usize) -> Scene {
    let header = &record.header;
    Scene::new(most_lanes, header.threshold, header.why_no_lines.clone())
}

/// The entry's time, or that of the one before it.
fn time(entry: &Entry, before: Duration) -> Duration {
    entry.at().unwrap_or(before)
}

/// The longest holds, in the order of time.
fn marks(mut holds: Vec<Hold>) -> Vec<Mark> {
    holds.sort_by_key(|hold| Reverse(hold.duration));
    holds.truncate(MARKS);
    holds.sort_by_key(|hold| hold.started);
    let mark = |hold: Hold| Mark {
        started_ms: Millis(hold.started),
        duration_ms: Millis(hold.duration),
    };
    holds.into_iter().map(mark).collect()
}

#[cfg(test)]
mod tests;
