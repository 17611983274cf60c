//! What the page shows at a time of a record: lanes, holds, workers, and where requests wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::board::Board;
use crate::doing::Doing;
use crate::holds::Holds;
use crate::survey::Survey;
use holdup_model::{Event, Victim};
use holdup_record::{Entry, Load};
use holdup_watch::WorkerStatus;

/// A hold that lasts is written about twice a second. One that is not for so long is over, and its end is not known.
const TOLD: Duration = Duration::from_secs(5);

/// The scene at one time.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) board: Board,
    pub(super) holds: Holds,
    pub(super) workers: Vec<WorkerStatus>,
    survey: Option<Arc<Survey>>,
    victims: Vec<Victim>,
    why_no_lines: Option<String>,
    threshold: Duration,
}

impl Scene {
    pub(super) fn new(lanes: usize, threshold: Duration, why_no_lines: Option<String>) -> Self {
        Self {
            board: Board::new(0, lanes, threshold),
            holds: Holds::default(),
            workers: Vec::new(),
            survey: None,
            victims: Vec::new(),
            why_no_lines,
            threshold,
        }
    }

    /// Applies what an entry tells. `cut` has the requests whose ends are missing, with the time from which nothing is
    /// known of them.
    pub(super) fn apply(&mut self, entry: Entry, cut: &HashMap<u64, Duration>) {
        match entry {
            Entry::Event(event) => self.event(event),
            Entry::Load(load) => self.load(&load),
            Entry::Victims(victims) => self.victims = victims.victims,
            Entry::Survey(survey) => {
                self.survey = Some(Arc::new(Survey::recorded(
                    survey,
                    self.why_no_lines.clone(),
                )));
            }
            // The ends of any holds may be missing. Those that last are told again soon.
            Entry::Missing(missing) => {
                self.holds.lost();
                let is_cut = |lane| cut.get(&lane).is_some_and(|&at| at <= missing.at);
                self.board.forget_open(is_cut);
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Held(hold) | Event::Updated(hold) => {
                self.board.draw_culprits(&hold);
                self.holds.lasts(hold);
            }
            Event::Released(hold) => {
                self.board.draw_culprits(&hold);
                self.holds.released(hold);
            }
            Event::Withdrawn(hold) => self.holds.withdrawn(hold),
            Event::Lost { .. } => {
                self.holds.lost();
                self.board.apply(event);
            }
            _ => self.board.apply(event),
        }
    }

    pub(super) fn load(&mut self, load: &Load) {
        self.workers.clone_from(&load.workers);
        self.board
            .count(load.requests, load.finished, load.unfinished);
    }

    /// Applies the passing of time.
    pub(super) fn advance(&mut self, now: Duration) {
        let open = self.workers.iter().map(|load| load.open);
        let open = open.fold(0, usize::saturating_add);
        self.board.advance(open, now);
        self.holds.lost_before(now.saturating_sub(TOLD));
    }

    /// The latest survey, and who lost how much time to whom.
    pub(super) fn survey(&self, now: Duration) -> Survey {
        let mut survey = match &self.survey {
            Some(survey) => Survey::clone(survey),
            None => Survey::none(now, self.why_no_lines.clone()),
        };
        survey.victims.clone_from(&self.victims);
        survey
    }

    /// What the page shows of the survey.
    pub(super) fn doing(&self, now: Duration) -> Doing {
        let drawn = self.board.drawn_open();
        Doing::new(&self.survey(now), self.threshold, &drawn)
    }
}
