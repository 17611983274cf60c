//! The figures for Prometheus, as the hub keeps them up to date.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::holds::Holds;
use super::lost::Lost;
use holdup_watch::{Figures, Hold, Watch};

const REQUESTS: &str = "holdup_requests_total";
const READERS: &str = "holdup_console_readers";

/// How a hold ended.
pub(super) enum End {
    Released(Hold),
    Withdrawn(Hold),
}

/// What the hub knows at the end of a turn.
pub(super) struct Now<'a> {
    pub(super) at: Duration,
    pub(super) holds: &'a Holds,
    /// The holds that have ended in this turn.
    pub(super) ended: &'a [End],
    pub(super) workers: usize,
    pub(super) open: usize,
    /// How many requests there were so far.
    pub(super) requests: u64,
    pub(super) readers: usize,
}

/// The figures of one console.
pub(super) struct Recorded {
    figures: Figures,
    lost: Lost,
    /// How many requests are counted.
    requests: u64,
}

impl Recorded {
    pub(super) fn new(recorder: &PrometheusRecorder, watch: &Watch) -> Self {
        with_local_recorder(recorder, || {
            describe_counter!(REQUESTS, Unit::Count, "Requests since the console started");
            describe_gauge!(READERS, Unit::Count, "Readers of the console's events");
            let mut figures = Figures::default();
            figures.leave_out(&watch.held_up_times());
            Self {
                figures,
                lost: Lost::default(),
                requests: 0,
            }
        })
    }

    /// Records what has changed.
    pub(super) fn update(&mut self, recorder: &PrometheusRecorder, watch: &Watch, now: &Now<'_>) {
        let is_due = self.lost.is_due(now.at);
        with_local_recorder(recorder, || {
            let held = self.holds(watch, now);
            self.figures
                .update(watch.polls(), now.open, held, now.workers);
            if is_due {
                for (route, blame) in self.lost.news(watch.victims()) {
                    self.figures.held_up(&route, &[blame]);
                }
                self.figures.ended(&watch.held_up_times());
            }
            counter!(REQUESTS).increment(now.requests.saturating_sub(self.requests));
            gauge!(READERS).set(f64::from(u32::try_from(now.readers).unwrap_or(u32::MAX)));
        });
        self.requests = now.requests;
        if is_due || !now.ended.is_empty() {
            // Folds the recorded samples together. Otherwise each one would be kept until the next
            // scrape.
            recorder.handle().run_upkeep();
        }
    }

    /// Records the holds, and returns how many workers are held.
    fn holds(&mut self, watch: &Watch, now: &Now<'_>) -> usize {
        let published = now.holds.by_worker();
        // The end of a hold is published when its lines are known. The figures show it at once.
        let last: Vec<_> = if published.is_empty() {
            Vec::new()
        } else {
            let holds = watch.held_now().into_iter();
            holds.map(|hold| (hold.worker, hold.started)).collect()
        };
        let mut workers = 0;
        for hold in published.values() {
            self.figures.lasts(hold);
            if last.contains(&(hold.worker, hold.started)) {
                workers += 1;
            } else {
                self.figures.ends(hold.started, hold.worker);
            }
        }
        for end in now.ended {
            match end {
                End::Released(hold) => self.figures.over(hold),
                End::Withdrawn(hold) => self.figures.withdrawn(hold.started, hold.worker),
            }
        }
        workers
    }
}
