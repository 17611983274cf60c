//! Where open requests wait, asked every few seconds while something waits or is held: for the record. Nothing here
//! waits for an answer, because the record has to be written meanwhile.

use std::time::Duration;

use holdup_model::{OpenRequest, RequestState};
use holdup_record::Survey;

use crate::look::Look;
use crate::naming::Naming;
use crate::shared::Shared;

/// How often requests are asked where they wait. If that does not change, less and less often.
const EVERY: Duration = Duration::from_secs(3);
const SELDOM: Duration = Duration::from_secs(30);

/// How often it is looked whether a request has waited for long, which wakes none.
const GLANCE: Duration = Duration::from_millis(800);

/// After each look in vain, the next one is so much later, and after the fifth one no later again: else, requests that
/// wait for a second at a time might be looked at just after they were woken, each time.
const LATER: Duration = Duration::from_millis(130);
const LOOKS: u32 = 5;

/// How long the answers, and the names of functions in them, are waited for.
const ANSWERS: Duration = Duration::from_millis(300);
const NAMES: Duration = Duration::from_secs(2);

/// The latest survey, and when the next one is due.
#[derive(Debug, Default)]
pub(super) struct Surveys {
    due: Duration,
    pause: Duration,
    asked: Option<Asked>,
    /// How many looks were in vain.
    in_vain: u32,
    /// Whether a worker was held a moment ago.
    was_held: bool,
    /// What was last written.
    written: Option<Survey>,
}

/// Requests were asked, and have not all answered.
#[derive(Debug)]
struct Asked {
    at: Duration,
    look: Look,
    names: Naming,
    /// Whether they were asked again after names were looked up.
    is_again: bool,
}

impl Surveys {
    /// Whether it may rest: nothing waited when it was last looked.
    pub(super) fn rests(&self) -> bool {
        self.asked.is_none() && self.written.is_none()
    }

    /// Whether requests were asked, so that their answers are to be read soon.
    pub(super) fn are_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// Does what is to be done at this time. Returns a survey that is to be written.
    pub(super) fn step(&mut self, shared: &Shared, now: Duration, is_held: bool) -> Option<Survey> {
        if std::mem::replace(&mut self.was_held, is_held) && !is_held {
            // Those whose worker was held can answer now.
            self.due = now;
        }
        let Some(asked) = &mut self.asked else {
            return self.begin(shared, now, is_held);
        };
        let since = now.saturating_sub(asked.at);
        if since < ANSWERS && shared.unanswered(&asked.look, None) > 0
            || since < NAMES && asked.names.are_missing(shared)
        {
            return None;
        }
        if asked.have_names_come() {
            // Many have gone on meanwhile, and wait elsewhere.
            asked.look = shared.look(true, None);
            asked.at = now;
            return None;
        }
        self.asked = None;
        let survey = Survey::of(
            &shared.open_requests(),
            shared.elapsed(),
            shared.settings.threshold,
        );
        if survey.waits.is_empty() {
            return self.none_waits(now, EVERY);
        }
        let before = self.written.as_ref();
        let is_alike = before.is_some_and(|before| before.is_like(&survey));
        let is_recent = before.is_some_and(|before| now.saturating_sub(before.at) < SELDOM);
        self.pause = if is_alike && !is_held {
            (self.pause * 2).clamp(EVERY, SELDOM)
        } else {
            EVERY
        };
        self.due = now + self.pause;
        if is_alike && is_recent {
            return None;
        }
        self.written = Some(survey.clone());
        Some(survey)
    }

    /// Asks the requests, if it is time and something waits or is held.
    fn begin(&mut self, shared: &Shared, now: Duration, is_held: bool) -> Option<Survey> {
        // A hold that begins does not wait for the end of a long pause.
        if now < self.due && !(is_held && self.due > now + EVERY) {
            return None;
        }
        let threshold = shared.settings.threshold;
        let waits = |request: &OpenRequest| match &request.state {
            RequestState::Waiting { since, .. } => now.saturating_sub(*since) >= threshold,
            _ => false,
        };
        let waits = shared.open_requests().iter().any(waits);
        if !waits {
            return self.none_waits(now, GLANCE);
        }
        self.asked = Some(Asked {
            at: now,
            look: shared.look(true, None),
            names: Naming::default(),
            is_again: false,
        });
        None
    }

    /// An empty survey, if the latest one that was written was not. The next look is so much later.
    fn none_waits(&mut self, now: Duration, next: Duration) -> Option<Survey> {
        self.due = now + next + LATER * (self.in_vain % LOOKS);
        self.in_vain = self.in_vain.wrapping_add(1);
        self.written.take()?;
        self.pause = EVERY;
        Some(Survey::of(&[], now, Duration::ZERO))
    }
}

impl Asked {
    /// Whether names were looked up since the requests were asked. It is so once.
    fn have_names_come(&mut self) -> bool {
        self.names.were_missing() && !std::mem::replace(&mut self.is_again, true)
    }
}
