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
    while let Ok(figure) = inlet.receiver.recv() {
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
            let by = by.map_or_else(|| UNATTRIBUTED.to_owned(), ToString::to_string);
            let mut labels = (route.to_string(), by);
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
