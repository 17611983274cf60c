//! Figures for the installed recorder of the `metrics` crate. Without a recorder they cost nothing.

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use holdup_model::Hold;

use crate::outlets::{Figure, Inlet};

const HOLD_DURATION: &str = "holdup_hold_duration_seconds";
const WORKERS: &str = "holdup_workers";
const WORKERS_HELD: &str = "holdup_workers_held";
const POLLS: &str = "holdup_polls_total";
const HOLDING_POLLS: &str = "holdup_holding_polls_total";

/// The figures of one watch for one recorder. Only one thread updates them.
#[derive(Debug)]
pub struct Figures {
    polls: u64,
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
        Self { polls: 0 }
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

    /// Records a hold that is over.
    pub fn hold(hold: &Hold) {
        let unattributed = || ("none".to_owned(), "unattributed".to_owned());
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
