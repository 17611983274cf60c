//! The changes that readers of `/events` are sent, as JSON.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use holdup_model::millis::{self, Millis};
use holdup_model::{HumanDuration, Line, Spent};
use holdup_watch::Hold;

/// A request that was held up for less is not said to have been held up. The page does not draw it either.
pub(super) const SHORTEST_LOSS: Duration = Duration::from_millis(10);

/// A hold, with the sentence that describes it for people.
#[derive(Debug, Serialize)]
pub(super) struct HoldView {
    #[serde(flatten)]
    hold: Hold,
    /// Its lines, each in words.
    places: Vec<String>,
    sentence: String,
}

impl From<Hold> for HoldView {
    fn from(hold: Hold) -> Self {
        let sentence = hold.to_string();
        let place = |line: &Line| {
            let called = line.called.as_ref().map(|called| format!(", in {called}"));
            format!("at {line}{}", called.unwrap_or_default())
        };
        Self {
            places: hold.lines.iter().map(place).collect(),
            hold,
            sentence,
        }
    }
}

/// What the time of a request that is over was spent on, also in words.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Spending {
    #[serde(flatten)]
    spent: Spent,
    #[serde(rename = "spent")]
    sentence: String,
}

impl From<Spent> for Spending {
    fn from(spent: Spent) -> Self {
        let [running, waiting] = [spent.running, spent.waiting].map(HumanDuration);
        let lost = (spent.held_up >= SHORTEST_LOSS).then(|| format!(", {spent}"));
        let lost = lost.unwrap_or_default();
        let sentence = format!("ran for {running}, waited for {waiting}{lost}");
        Self { spent, sentence }
    }
}

/// A connection with bytes that the app has not read, while a worker is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Waiting {
    pub(super) peer: SocketAddr,
    #[serde(rename = "since_ms", serialize_with = "millis::serialize")]
    pub(super) since: Duration,
}

/// A message of `/events` about a change. All times are milliseconds on the watch's clock.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Change<'a> {
    /// A worker read a request.
    Opened {
        lane: u64,
        opened_ms: Millis,
        worker: usize,
        method: &'a str,
        route: &'a str,
        path: &'a str,
        /// How long the request lay unread before that.
        waited_ms: Option<Millis>,
    },
    /// The request's handler returned its response.
    Answered {
        lane: u64,
        answered_ms: Millis,
        status: u16,
    },
    /// New chunks of the response body, with the totals so far. Not every chunk is listed.
    Chunks {
        lane: u64,
        chunks_ms: Vec<Millis>,
        chunk_count: u64,
        bytes: u64,
    },
    /// The request is over.
    Ended {
        lane: u64,
        finished_ms: Option<Millis>,
        ended_ms: Millis,
        /// What its time was spent on.
        #[serde(flatten)]
        spent: &'a Spending,
    },
    /// Lanes that are no longer shown.
    Dropped { lanes: Vec<u64> },
    /// A worker is held. This message is repeated while the hold lasts.
    Held { hold: HoldView },
    /// A hold is over. If the worker is in another hold, a message about that one follows.
    Released { hold: HoldView },
    /// A hold that was published turned out not to be one. The worker is free, unless another hold
    /// follows.
    Withdrawn { hold: HoldView },
    /// All connections that wait to be read.
    Waiting { waiting: Vec<Waiting> },
}

#[cfg(test)]
mod tests {
    use holdup_model::{Blame, RouteName};
    use holdup_watch::HoldKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_holds_lines_are_told_in_words_too() {
        let ms = Duration::from_millis;
        let mut hold = Hold::new(HoldKind::Blocked, 0, ms(100), ms(200));
        let mut line = Line::new("app::render");
        (line.file, line.line) = (Some("src/main.rs".to_owned()), Some(4));
        let mut calls = line.clone();
        calls.called = Some("std::thread::sleep".to_owned());
        hold.lines = vec![calls, line];
        let view = serde_json::to_value(HoldView::from(hold)).expect("JSON");
        let places = json!([
            "at app::render (src/main.rs:4), in std::thread::sleep",
            "at app::render (src/main.rs:4)",
        ]);
        assert_eq!(view["places"], places);
        assert_eq!(view["lines"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn what_a_request_spent_is_told_in_words_too() {
        let ms = Duration::from_millis;
        let spent = |lost| {
            let by = Blame::new(Some(RouteName::new("GET", "/blocking")), ms(lost));
            let spending = Spending::from(Spent::new(ms(3), ms(2100), vec![by]));
            serde_json::to_value(spending).expect("JSON")
        };
        let held_up = spent(500);
        assert_eq!(
            held_up["spent"],
            "ran for 3.0 ms, waited for 2.10 s, held up for 500 ms by GET /blocking"
        );
        assert_eq!(held_up["held_up_by"][0]["by"], "GET /blocking");
        let hardly = spent(9);
        assert_eq!(hardly["spent"], "ran for 3.0 ms, waited for 2.10 s");
        assert_eq!(hardly["held_up_ms"], 9.0);
    }
}
