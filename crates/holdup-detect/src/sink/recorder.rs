//! Writes the record: what is worth a line of the events, the workers and their counts once a second, where requests
//! wait, and who held up whom.

use std::sync::{Arc, Weak};
use std::task::Poll;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdup_model::{Event, Victim};
use holdup_record::{Entry, Folder, Header, Load, Missing, Selection, VERSION, Victims};

use super::survey::Surveys;
use crate::outlets::{LogEntry, Outlet};
use crate::shared::Shared;
use crate::stack;
use crate::subscription::Subscription;

/// How often events are taken. The subscription has room for far more than come in this time.
const EVERY: Duration = Duration::from_millis(100);

/// The same while requests are asked where they wait, and while so many events come at a time.
const OFTEN: Duration = Duration::from_millis(10);
const MANY: usize = 4096;

/// How often lines are written at least. What is written is there even if the process is killed.
const WRITTEN: Duration = Duration::from_millis(500);

/// How often the workers, and who held up whom, are read.
const READ: Duration = Duration::from_secs(1);

/// How long nothing has to happen before the thread waits for the next event.
const RESTS_AFTER: Duration = Duration::from_secs(2);

/// How much waits to be written at most, bytes. Then lines are written at once.
const ROOM: usize = 256 << 10;

/// The most pairs of routes that are recorded.
const PAIRS: usize = 32;

/// How often it is logged that nothing can be written.
const LOGGED: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Recorder {
    folder: Folder,
    events: Subscription,
    selection: Selection,
    surveys: Surveys,
    /// The lines that wait, and how many they are.
    lines: String,
    count: u64,
    written: Duration,
    read: Duration,
    active: Duration,
    load: Option<Load>,
    victims: Vec<Victim>,
    failing: Failing,
    /// How many events came in the latest turn.
    came: usize,
    /// The latest flush for which everything is written.
    flushed: u64,
}

/// Lines that could not be written.
#[derive(Debug, Default)]
struct Failing {
    /// How many, since lines were last written.
    lines: u64,
    /// Whether these were logged.
    is_logged: bool,
    /// When any were last logged.
    logged: Option<Duration>,
}

impl Failing {
    /// Takes that so many more lines could not be written. Returns whether that is to be logged now.
    fn failed(&mut self, lines: u64, now: Duration) -> bool {
        self.lines += lines;
        let is_recent = |at: Duration| now.saturating_sub(at) < LOGGED;
        if self.logged.is_some_and(is_recent) {
            return false;
        }
        (self.logged, self.is_logged) = (Some(now), true);
        true
    }

    /// Takes that lines were written. Returns how many were not before, and whether that was logged.
    fn worked(&mut self) -> (u64, bool) {
        let worked = (self.lines, self.is_logged);
        (self.lines, self.is_logged) = (0, false);
        worked
    }
}

/// Writes the record until the watch is gone.
pub(crate) fn run(recorder: &mut Recorder, shared: &Weak<Shared>, log: &Outlet<LogEntry>) {
    loop {
        let mut first = None;
        if recorder.rests() {
            match recorder.events.wait() {
                Poll::Ready(Some(event)) => first = Some(event),
                // Nobody publishes events when the watch is gone.
                Poll::Ready(None) => return recorder.finish(),
                // Everything is to be written.
                Poll::Pending => {}
            }
        } else {
            thread::park_timeout(recorder.pause());
        }
        let Some(shared) = shared.upgrade() else {
            return recorder.finish();
        };
        recorder.turn(&shared, first, log);
    }
}

impl Recorder {
    pub(crate) fn new(folder: Folder, mut events: Subscription) -> Self {
        events.want_chunks(false);
        Self {
            folder,
            events,
            selection: Selection::default(),
            surveys: Surveys::default(),
            lines: String::new(),
            count: 0,
            written: Duration::ZERO,
            read: Duration::ZERO,
            active: Duration::ZERO,
            load: None,
            victims: Vec::new(),
            failing: Failing::default(),
            came: 0,
            flushed: 0,
        }
    }

    /// How long it pauses after the latest turn.
    fn pause(&self) -> Duration {
        if self.surveys.are_asking() || self.came >= MANY {
            OFTEN
        } else {
            EVERY
        }
    }

    /// Whether nothing is to be done before the next event.
    fn rests(&self) -> bool {
        let is_done = self.lines.is_empty() && self.failing.lines == 0;
        let is_long_idle = self.read.saturating_sub(self.active) >= RESTS_AFTER;
        is_done && is_long_idle && self.selection.is_idle() && self.surveys.rests()
    }

    fn turn(&mut self, shared: &Arc<Shared>, mut first: Option<Event>, log: &Outlet<LogEntry>) {
        let flush = shared.flushes.published();
        let is_flush = flush > self.flushed;
        self.came = 0;
        let Self {
            events,
            selection,
            lines,
            count,
            came,
            ..
        } = self;
        let mut is_urgent = false;
        let mut write = |entry: Entry| {
            is_urgent |= matches!(
                entry,
                Entry::Event(Event::Held(_) | Event::Updated(_) | Event::Released(_))
            );
            lines.push_str(&entry.to_line());
            *count += 1;
        };
        while let Some(event) = first.take().or_else(|| events.try_next()) {
            selection.take(event, &mut write);
            *came += 1;
        }
        let now = shared.elapsed();
        if !selection.is_idle() {
            self.active = now;
        }
        if is_flush || now.saturating_sub(self.read) >= READ {
            self.read = now;
            selection.tick(now, &mut write);
            let load = load(shared, selection, now);
            if !is_same(self.load.as_ref(), &load) {
                self.load = Some(load.clone());
                write(Entry::Load(load));
            }
            let mut victims = shared.losses.victims();
            victims.truncate(PAIRS);
            if victims != self.victims {
                self.victims.clone_from(&victims);
                write(Entry::Victims(Victims { at: now, victims }));
            }
        }
        if let Some(survey) = self.surveys.step(shared, now, selection.has_holds()) {
            write(Entry::Survey(survey));
        }
        let is_due = now.saturating_sub(self.written) >= WRITTEN;
        if is_urgent || is_due || is_flush || self.lines.len() >= ROOM {
            self.write(shared, now, log);
        }
        if is_flush {
            self.flushed = flush;
            if self.failing.lines == 0 {
                shared.flushes.has_recorded(flush);
            }
        }
    }

    /// Writes what is left when the watch is gone. What cannot be written then is lost, and so is what comes before
    /// the first lines of all were written.
    fn finish(&mut self) {
        let Self {
            events,
            selection,
            lines,
            ..
        } = self;
        while let Some(event) = events.try_next() {
            selection.take(event, &mut |entry| lines.push_str(&entry.to_line()));
        }
        self.say_what_is_missing(self.written);
        self.folder.append(&self.lines, self.written).ok();
        self.lines.clear();
    }

    /// What was lost is said first, and again until it is written.
    fn say_what_is_missing(&mut self, now: Duration) {
        let lines = self.failing.lines;
        if lines > 0 {
            let missing = Entry::Missing(Missing { at: now, lines });
            self.lines.insert_str(0, &missing.to_line());
        }
    }

    /// Writes the lines that wait. What cannot be written is lost, and that is logged.
    fn write(&mut self, shared: &Shared, now: Duration, log: &Outlet<LogEntry>) {
        self.written = now;
        self.say_what_is_missing(now);
        if self.lines.is_empty() {
            return;
        }
        let begun = self.folder.begin(header(shared, now));
        match begun.and_then(|()| self.folder.append(&self.lines, now)) {
            Ok(is_new) => {
                let (lines, is_logged) = self.failing.worked();
                if is_new || lines > 0 {
                    // What is open and how it is is written again, whatever was written or lost before.
                    self.selection.new_segment();
                    (self.load, self.victims) = (None, Vec::new());
                }
                if is_logged {
                    let folder = self.folder.path().to_owned();
                    log.send(LogEntry::RecordedAgain { folder, lines });
                }
            }
            Err(error) => {
                if self.failing.failed(self.count, now) {
                    log.send(LogEntry::NotRecorded {
                        folder: self.folder.path().to_owned(),
                        lines: self.failing.lines,
                        error: error.to_string(),
                    });
                }
            }
        }
        self.lines.clear();
        self.count = 0;
    }
}

fn header(shared: &Shared, now: Duration) -> Header {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    let origin = unix.unwrap_or_default().saturating_sub(now);
    Header {
        version: VERSION,
        holdup: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        segment: 1,
        origin_unix_ms: u64::try_from(origin.as_millis()).unwrap_or(u64::MAX),
        at: now,
        threshold: shared.settings.threshold,
        why_no_lines: why_no_lines().map(str::to_owned),
    }
}

fn why_no_lines() -> Option<&'static str> {
    if cfg!(feature = "stacks") {
        stack::why_off()
    } else {
        Some("the app is built without the feature `stacks` of holdup-watch")
    }
}

fn load(shared: &Shared, selection: &Selection, now: Duration) -> Load {
    let counts = selection.counts();
    Load {
        at: now,
        workers: shared.worker_statuses(),
        requests: counts.requests,
        finished: counts.finished,
        unfinished: counts.unfinished,
        left_out: counts.left_out,
    }
}

/// Whether it tells the same as the one before, apart from the time.
fn is_same(before: Option<&Load>, load: &Load) -> bool {
    before.is_some_and(|before| {
        Load {
            at: before.at,
            ..load.clone()
        } == *before
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use holdup_model::Spent;
    use holdup_record::{Options, segment};

    use super::*;
    use crate::lanes::Listeners;
    use crate::subscription::Events;

    #[test]
    fn lines_that_are_lost_are_logged_once_a_minute_however_often_writing_fails() {
        let mut failing = Failing::default();
        let mut told = Vec::new();
        for second in (0..100).step_by(10) {
            let now = Duration::from_secs(second);
            let is_logged = failing.failed(2, now);
            told.push((is_logged, failing.worked()));
        }
        let logged = (true, (2, true));
        let silent = (false, (2, false));
        let mut expected = [silent; 10];
        (expected[0], expected[6]) = (logged, logged);
        assert_eq!(told, expected);
        assert_eq!(failing.worked(), (0, false));
        assert!(!failing.failed(1, Duration::from_secs(100)));
        assert!(failing.failed(1, Duration::from_secs(120)));
        assert_eq!(failing.worked(), (2, true));
    }

    #[test]
    fn what_waits_is_written_when_the_watch_is_gone() {
        let path = std::env::temp_dir().join(format!("holdup-recorder-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        let opened = Event::Opened {
            lane: 1,
            at: Duration::ZERO,
            worker: 0,
            method: "GET".to_owned(),
            route: "/".to_owned(),
            path: "/".to_owned(),
            peer: None,
        };
        let ended = Event::Ended {
            lane: 1,
            at: Duration::from_secs(2),
            finished: true,
            spent: Spent::default(),
        };
        let events = Events::default();
        let queued = [opened, ended].into_iter();
        let subscription = events.subscribe(queued, &Arc::new(Listeners::default()));
        let mut folder = Folder::open(Options::new(&path)).expect("it can be written");
        let begun = folder.begin(Header {
            version: VERSION,
            holdup: "0.1.0".to_owned(),
            pid: 1,
            segment: 1,
            origin_unix_ms: 0,
            at: Duration::ZERO,
            threshold: Duration::ZERO,
            why_no_lines: None,
        });
        begun.expect("room");
        let mut recorder = Recorder::new(folder, subscription);
        let at = Duration::from_secs(1);
        let waits = Entry::Victims(Victims {
            at,
            victims: Vec::new(),
        });
        recorder.lines = waits.to_line();
        recorder.failing.failed(3, at);
        run(&mut recorder, &Weak::new(), &Outlet::default());
        let files = fs::read_dir(&path).expect("a folder");
        let mut files = files.map(|file| file.expect("a file").path());
        let file = files.find(|file| file.extension().is_some_and(|end| end == "jsonl"));
        let text = fs::read(file.expect("a segment")).expect("a file");
        fs::remove_dir_all(&path).expect("a folder");
        let read = segment(&text).expect("a segment").entries;
        let kinds: Vec<_> = read
            .iter()
            .map(|entry| match entry {
                Entry::Missing(missing) => format!("missing {}", missing.lines),
                Entry::Victims(_) => "victims".to_owned(),
                Entry::Event(Event::Opened { lane, .. }) => format!("opened {lane}"),
                Entry::Event(Event::Ended { lane, .. }) => format!("ended {lane}"),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, ["missing 3", "victims", "opened 1", "ended 1"]);
    }
}
