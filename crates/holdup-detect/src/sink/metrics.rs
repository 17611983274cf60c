//! Figures for the installed recorder of the `metrics` crate. Without a recorder they cost nothing.

use std::collections::HashMap;
use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use holdup_model::{Blame, Hold, RouteName};

use crate::outlets::{Figure, Inlet};

const HOLD_DURATION: &str = "holdup_hold_duration_seconds";
const WORKERS: &str = "holdup_workers";
const WORKERS_HELD: &str = "holdup_workers_held";
const POLLS: &str = "holdup_polls_total";
const HOLDING_POLLS: &str = "holdup_holding_polls_total";
const HELD_UP: &str = "holdup_held_up_seconds_total";

/// The label for what no watched request did.
const UNATTRIBUTED: &str = "unattributed";

/// The label for pairs of routes beyond the most that are told apart.
const OTHER: &str = "other routes";
const PAIRS: usize = 1024;

/// The figures of one watch for one recorder. Only one thread updates them.
#[derive(Debug)]
pub struct Figures {
    polls: u64,
    /// The fractions of seconds that are not counted yet, by who lost them to whom.
    held_up: HashMap<(String, String), Duration>,
}

impl Default for Figures {
    fn default() -> Self {
        let seconds =
            "How long workers were held, by kind and by the method and route that held them most";
        describe_histogram!(HOLD_DURATION, Unit::Seconds, seconds);
        describe_gauge!(WORKERS, Unit::Count, "Workers that are watched");
        describe_gauge!(WORKERS_HELD, Unit::Count, "Workers that are held now");
        let polls = "Calls and polls that were watched";
        describe_counter!(POLLS, Unit::Count, polls);
        let holding = "Polls of requests that held a worker, during their holds";
        describe_counter!(HOLDING_POLLS, Unit::Count, holding);
        let held_up = "How long requests were ready to run while their worker was busy, by their route and by whose it was";
        describe_counter!(HELD_UP, Unit::Seconds, held_up);
        Self {
            polls: 0,
            held_up: HashMap::new(),
        }
    }
}

/// Updates the figures until the watch is gone.
pub(crate) fn run(inlet: &Inlet<Figure>, figures: &mut Figures) {
    while let Ok(figure) = inlet.recv() {
        match figure {
            Figure::Workers {
                polls,
                held,
                workers,
            } => figures.update(polls, held, workers),
            Figure::Hold(hold) => Figures::hold(&hold),
            Figure::HeldUp(lost) => {
                for (route, blame) in lost {
                    figures.held_up(&route, &[blame]);
                }
            }
        }
    }
}

/// The label for a route. Routes beyond the most that are told apart have one for all.
fn label(route: &RouteName) -> String {
    if route.route == OTHER {
        OTHER.to_owned()
    } else {
        route.to_string()
    }
}

impl Figures {
    /// Sets the current figures: the number of polls so far, of held workers and of all workers.
    pub fn update(&mut self, polls: u64, held: usize, workers: usize) {
        counter!(POLLS).increment(polls.saturating_sub(self.polls));
        self.polls = polls;
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        gauge!(WORKERS_HELD).set(count(held));
        gauge!(WORKERS).set(count(workers));
    }

    /// Adds what a request of a route lost to others. The counter counts whole seconds, so fractions are carried over
    /// to the next request of the same route that loses time to the same one.
    pub fn held_up(&mut self, route: &RouteName, blames: &[Blame]) {
        for blame in blames {
            let by = blame.by.as_ref();
            let by = by.map_or_else(|| UNATTRIBUTED.to_owned(), label);
            let mut labels = (label(route), by);
            if self.held_up.len() >= PAIRS && !self.held_up.contains_key(&labels) {
                labels = (OTHER.to_owned(), OTHER.to_owned());
            }
            let (route, by) = labels.clone();
            let carried = self.held_up.entry(labels).or_default();
            *carried += blame.held_up;
            let seconds = carried.as_secs();
            *carried -= Duration::from_secs(seconds);
            counter!(HELD_UP, "route" => route, "by" => by).increment(seconds);
        }
    }

    /// Records a hold that is over.
    pub fn hold(hold: &Hold) {
        let unattributed = || ("none".to_owned(), UNATTRIBUTED.to_owned());
        let first = hold.culprits.first();
        let (method, route) = first.map_or_else(unattributed, |first| {
            (first.method.clone(), first.route.clone())
        });
        let kind = hold.kind.name();
        histogram!(HOLD_DURATION, "kind" => kind, "method" => method, "route" => route)
            .record(hold.duration.as_secs_f64());
        let polls = hold.culprits.iter().map(|culprit| culprit.polls).sum();
        counter!(HOLDING_POLLS).increment(polls);
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
        let other = told.iter().find(|(route, ..)| route == OTHER);
        let all = PAIRS as u64 * 2;
        assert_eq!(other, Some(&(OTHER.to_owned(), OTHER.to_owned(), all)));
        assert!(told.iter().all(|one| one.2 == 1 || one.0 == OTHER));
    }
}
