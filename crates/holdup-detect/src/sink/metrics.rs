//! Figures for the installed recorder of the `metrics` crate. Without a recorder they cost next to nothing.

mod blocked;
mod gauges;
mod labels;
mod seconds;

use std::collections::HashMap;
use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use holdup_model::{Blame, HeldUpTimes, Hold, RouteName};

use self::blocked::Blocked;
use self::gauges::{Known, Place};
use self::labels::{Labels, UNATTRIBUTED, label};
use self::seconds::Seconds;
use crate::outlets::{Figure, Inlet, LogEntry, Outlet};
use crate::routes::OTHER_ROUTES;

const HOLD_DURATION: &str = "holdup_hold_duration_seconds";
const BLOCKED: &str = "holdup_blocked_seconds_total";
const CURRENT_HOLD: &str = "holdup_current_hold_seconds";
const WORKERS: &str = "holdup_workers";
const WORKERS_HELD: &str = "holdup_workers_held";
const OPEN: &str = "holdup_requests_open";
const POLLS: &str = "holdup_polls_total";
const HOLDING_POLLS: &str = "holdup_holding_polls_total";
const HELD_UP: &str = "holdup_held_up_seconds_total";
const HELD_UP_DURATION: &str = "holdup_held_up_duration_seconds";

/// The most pairs of routes that are told apart.
const PAIRS: usize = 1024;

/// The figures of one watch for one recorder of the `metrics` crate. Only one thread updates them.
///
/// A watch keeps its own up to date for the recorder that the app has installed. This is for a recorder besides
/// that one, as a console has: call all methods within [`metrics::with_local_recorder`].
#[derive(Debug)]
pub struct Figures {
    polls: u64,
    labels: Labels,
    blocked: Blocked,
    /// Who lost time to whom.
    held_up: Seconds<(String, String)>,
    /// The requests that are counted already, by route and by what they lost.
    ended: HashMap<RouteName, HashMap<Duration, u64>>,
    known: Known,
    place: Place,
}

impl Default for Figures {
    fn default() -> Self {
        Self::at(Place::alone())
    }
}

/// Updates the figures until the watch is gone.
pub(crate) fn run(inlet: &Inlet<Figure>, figures: &mut Figures, log: &Outlet<LogEntry>) {
    while let Ok(figure) = inlet.recv() {
        match figure {
            Figure::Workers {
                polls,
                open,
                held,
                workers,
            } => figures.update(polls, open, held, workers),
            Figure::Lasts(hold) => figures.lasts(&hold),
            Figure::Ends(id) => figures.ends(id.started, id.worker),
            Figure::Over(hold) => figures.over(&hold),
            Figure::Withdrawn(id) => figures.withdrawn(id.started, id.worker),
            Figure::HeldUp(lost) => {
                for (route, blame) in lost {
                    figures.held_up(&route, &[blame]);
                }
            }
            Figure::Ended(times) => figures.ended(&times),
        }
        match inlet.take_lost() {
            0 => {}
            figures => drop(log.send(LogEntry::FiguresLost { figures })),
        }
    }
    // The watch is gone, so what it has added to the gauges is taken back.
    figures.place.leave(set);
}

impl Figures {
    /// The figures for the recorder that the app has installed.
    pub(crate) fn of_installed() -> Self {
        Self::at(Place::beside_others())
    }

    fn at(place: Place) -> Self {
        describe();
        Self {
            polls: 0,
            labels: Labels::default(),
            blocked: Blocked::default(),
            held_up: Seconds::default(),
            ended: HashMap::new(),
            known: Known::default(),
            place,
        }
    }

    /// Sets the current figures: the number of polls so far, of open requests, of held workers and of all workers.
    pub fn update(&mut self, polls: u64, open: usize, held: usize, workers: usize) {
        counter!(POLLS).increment(polls.saturating_sub(self.polls));
        self.polls = polls;
        if held == 0 {
            self.blocked.none_lasts();
        }
        (self.known.open, self.known.held, self.known.workers) = (open, held, workers);
        self.publish();
    }

    /// Takes a hold that lasts, as of its latest event.
    pub fn lasts(&mut self, hold: &Hold) {
        self.blocked.lasts(hold, &mut self.labels, count_blocked);
        self.publish();
    }

    /// Records that the hold of this worker that began at this time is over, although its details are not known yet.
    pub fn ends(&mut self, started: Duration, worker: usize) {
        self.blocked.ends(started, worker);
        self.publish();
    }

    /// Records a hold that is over.
    pub fn over(&mut self, hold: &Hold) {
        let first = hold.culprits.first();
        let (route, part) = first.map_or_else(
            || (UNATTRIBUTED.to_owned(), "none"),
            |first| (labels::of(first), first.part.name()),
        );
        let (kind, route) = (hold.kind.name(), self.labels.bounded(route));
        histogram!(HOLD_DURATION, "kind" => kind, "route" => route, "part" => part)
            .record(hold.duration.as_secs_f64());
        let polls = hold.culprits.iter().map(|culprit| culprit.polls).sum();
        counter!(HOLDING_POLLS).increment(polls);
        self.blocked.over(hold, &mut self.labels, count_blocked);
        self.publish();
    }

    /// Takes back the hold of this worker that began at this time, because it turned out not to be one.
    pub fn withdrawn(&mut self, started: Duration, worker: usize) {
        self.blocked.withdrawn(started, worker);
        self.publish();
    }

    /// Adds what a request of a route lost to others.
    pub fn held_up(&mut self, route: &RouteName, blames: &[Blame]) {
        for blame in blames {
            let by = blame.by.as_ref();
            let by = by.map_or_else(|| UNATTRIBUTED.to_owned(), label);
            let mut labels = (label(route), by);
            if self.held_up.labels() >= PAIRS && !self.held_up.has(&labels) {
                labels = (OTHER_ROUTES.to_owned(), OTHER_ROUTES.to_owned());
            }
            let (route, by) = labels.clone();
            let seconds = self.held_up.add(labels, blame.held_up);
            counter!(HELD_UP, "route" => route, "by" => by).increment(seconds);
        }
    }

    /// Leaves out the requests that are over by now, as a recorder does that begins later than the watch. `times` are
    /// those of all of them.
    pub fn leave_out(&mut self, times: &[HeldUpTimes]) {
        for of in times {
            let counted = of.times.iter().copied().collect();
            self.ended.insert(of.route.clone(), counted);
        }
    }

    /// Counts the requests that have ended since the last call. `times` are those of all requests that are over.
    pub fn ended(&mut self, times: &[HeldUpTimes]) {
        for of in times {
            let route = self.labels.bounded(label(&of.route));
            if !self.ended.contains_key(&of.route) {
                self.ended.insert(of.route.clone(), HashMap::new());
            }
            let Some(counted) = self.ended.get_mut(&of.route) else {
                continue;
            };
            let held_up = histogram!(HELD_UP_DURATION, "route" => route);
            for &(time, requests) in &of.times {
                let counted = counted.entry(time).or_default();
                let more = requests.saturating_sub(*counted);
                *counted += more;
                held_up.record_many(
                    time.as_secs_f64(),
                    usize::try_from(more).unwrap_or(usize::MAX),
                );
            }
        }
    }

    /// Sets the gauges.
    fn publish(&mut self) {
        self.known.current = self.blocked.current();
        self.place.set(self.known.clone(), set);
    }
}

fn describe() {
    let holds = "Durations of holds that are over, in which a worker could run nothing else, by kind and by the route and the part that held it most";
    describe_histogram!(HOLD_DURATION, Unit::Seconds, holds);
    let blocked = "Seconds for which workers were blocked so far, also by holds that last, by the route whose polls blocked them";
    describe_counter!(BLOCKED, Unit::Seconds, blocked);
    let current = "How long the longest of the holds that still last has lasted, by the route that holds most; 0 if none lasts";
    describe_gauge!(CURRENT_HOLD, Unit::Seconds, current);
    describe_gauge!(WORKERS, Unit::Count, "Workers that are watched");
    describe_gauge!(WORKERS_HELD, Unit::Count, "Workers that are held now");
    describe_gauge!(OPEN, Unit::Count, "Requests that are open");
    let polls = "Calls and polls that were watched";
    describe_counter!(POLLS, Unit::Count, polls);
    let holding = "Polls of requests that held a worker, during their holds";
    describe_counter!(HOLDING_POLLS, Unit::Count, holding);
    let held_up = "Seconds for which requests were ready to run while their worker was busy, by their route and by whose it was";
    describe_counter!(HELD_UP, Unit::Seconds, held_up);
    let durations = "For how long each ended request was ready to run while its worker was busy, by its route; 0 for a request that was not held up";
    describe_histogram!(HELD_UP_DURATION, Unit::Seconds, durations);
}

fn count_blocked(route: &str, seconds: u64) {
    counter!(BLOCKED, "route" => route.to_owned()).increment(seconds);
}

fn set(known: &Known) {
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    gauge!(WORKERS).set(count(known.workers));
    gauge!(WORKERS_HELD).set(count(known.held));
    gauge!(OPEN).set(count(known.open));
    for (route, time) in &known.current {
        gauge!(CURRENT_HOLD, "route" => route.clone()).set(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use metrics::{
        Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
        with_local_recorder,
    };

    use super::*;

    /// Keeps the counters of lost time.
    #[derive(Default)]
    struct Counters(Mutex<HashMap<Key, Arc<AtomicU64>>>);

    impl Recorder for Counters {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            assert_eq!(key.name(), "holdup_held_up_seconds_total");
            let mut counters = self.0.lock().expect("nobody panics with it");
            let counter = counters.entry(key.clone()).or_default();
            Counter::from_arc(Arc::clone(counter))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    impl Counters {
        /// The route, whom it lost time to, and the seconds.
        fn told(&self) -> Vec<(String, String, u64)> {
            let counters = self.0.lock().expect("nobody panics with it");
            let told = counters.iter().map(|(key, counter)| {
                let labels: HashMap<_, _> =
                    key.labels().map(|one| (one.key(), one.value())).collect();
                assert_eq!(labels.len(), 2, "{key}");
                let seconds = counter.load(Ordering::Relaxed);
                (labels["route"].to_owned(), labels["by"].to_owned(), seconds)
            });
            let mut told: Vec<_> = told.collect();
            told.sort();
            told
        }
    }

    fn name(route: usize) -> RouteName {
        RouteName::new("GET", format!("/{route}"))
    }

    #[test]
    fn fractions_of_lost_seconds_are_carried() {
        let (counters, mut figures) = (Counters::default(), Figures::default());
        let ms = Duration::from_millis;
        let blames = [
            Blame::new(Some(name(1)), ms(700)),
            Blame::new(None, ms(2_950)),
        ];
        with_local_recorder(&counters, || {
            for _ in 0..3 {
                figures.held_up(&name(0), &blames);
            }
            figures.held_up(&name(2), &[Blame::new(Some(name(1)), ms(999))]);
        });
        let expected = [
            ("GET /0", "GET /1", 2),
            ("GET /0", "unattributed", 8),
            ("GET /2", "GET /1", 0),
        ];
        let expected = expected.map(|(route, by, s)| (route.to_owned(), by.to_owned(), s));
        assert_eq!(counters.told(), expected);
    }

    #[test]
    fn the_labels_are_bounded_and_no_second_is_lost() {
        let (counters, mut figures) = (Counters::default(), Figures::default());
        with_local_recorder(&counters, || {
            for number in 0..PAIRS * 3 {
                let blame = Blame::new(Some(name(number % 50)), Duration::from_secs(1));
                figures.held_up(&name(number), &[blame]);
            }
        });
        let told = counters.told();
        assert_eq!(told.len(), PAIRS + 1);
        let other = told.iter().find(|(route, ..)| route == OTHER_ROUTES);
        let all = PAIRS as u64 * 2;
        assert_eq!(
            other,
            Some(&(OTHER_ROUTES.to_owned(), OTHER_ROUTES.to_owned(), all))
        );
        assert!(told.iter().all(|one| one.2 == 1 || one.0 == OTHER_ROUTES));
    }
}
