//! How many requests to send next, and what all rounds together show.

use std::time::Duration;

use super::finding::{Beyond, Limit, fewest_to_confirm};
use super::reading::{self, Reading};
use super::wording::{self, Shown};
use crate::began::Began;
use crate::verdict::Verdict;
use holdup_model::Timeline;

/// A limit up to this is confirmed by a round of more than four times as many, a higher one by more than twice as
/// many. Where each worker has a queue of its own, chance leaves one of a few workers without a request, and
/// fills the others evenly, more often than one of many.
const SMALL: usize = 8;

/// If the queues are of uneven length, requests are dealt out by chance. With this many requests for each worker,
/// hardly any worker gets none.
const FOR_EACH: usize = 8;

/// The most rounds. Ten doublings lead from two requests to a thousand; the others are for those that disagree.
const MOST_ROUNDS: usize = 16;

/// The most rounds that show steps, or errors, without two that agree.
const MOST_ATTEMPTS: usize = 4;

/// The search for the limit. It is told of each round, and says how many requests the next one needs.
#[derive(Debug)]
pub(crate) struct Search {
    most: usize,
    cores: Option<usize>,
    seen: Vec<Seen>,
}

/// What a round showed.
#[derive(Debug)]
struct Seen {
    requests: usize,
    reading: Reading,
    /// How many surely ran at the same time.
    at_least: usize,
    because: String,
    /// How long its successor has to wait if it has as many requests.
    pause: Duration,
    /// Whether it stands for two measurements that agree.
    is_confirmed: bool,
}

impl Search {
    /// A search with at most this many requests at once. `cores` is how many the server's machine has, if that is
    /// known.
    pub(crate) fn new(most: usize, cores: Option<usize>) -> Self {
        Self {
            most,
            cores,
            seen: Vec::new(),
        }
    }

    /// Takes note of the rounds that are already known.
    pub(crate) fn begins_with(
        &mut self,
        verdict: &Verdict,
        at_once: Option<&Timeline>,
        began: Option<&Began>,
    ) {
        self.saw(verdict, at_once, began);
        if let Some(seen) = self.seen.last_mut() {
            seen.is_confirmed = verdict.needs_confirmation();
        }
    }

    /// Takes note of a round.
    pub(crate) fn saw(
        &mut self,
        verdict: &Verdict,
        at_once: Option<&Timeline>,
        began: Option<&Began>,
    ) {
        let reading = Reading::of(verdict, at_once);
        let by_ends = at_once.map_or(0, |at_once| reading::at_least(verdict, at_once));
        // Short answers end soon although they had to wait, so the first bytes know better.
        let began_at_a_time = began.and_then(|began| began.at_a_time);
        self.seen.push(Seen {
            requests: verdict.lanes,
            reading: began.map_or(reading, |began| reading.or_began(began)),
            at_least: by_ends.min(began_at_a_time.unwrap_or(by_ends)),
            because: verdict.because().unwrap_or_default(),
            pause: verdict.pause_before_confirmation(),
            is_confirmed: false,
        });
    }

    /// How many requests to send next, and after which pause. `None` if the search is over.
    pub(crate) fn next(&self) -> Option<(usize, Duration)> {
        let last = self.seen.last()?;
        if self.seen.len() >= MOST_ROUNDS || last.requests == 0 {
            return None;
        }
        let more = (last.requests < self.most).then(|| (last.requests * 2).min(self.most));
        let requests = match last.reading {
            Reading::Together => more?,
            Reading::Few => more.or_else(|| self.again())?,
            Reading::Shared | Reading::Rate { .. } if last.is_confirmed => return None,
            Reading::Shared | Reading::Rate { .. } | Reading::Unclear => self.again()?,
            Reading::Steps { .. } | Reading::Rejected { answered: 1.., .. } => {
                let attempts = self.seen.iter().filter(|seen| seen.limit().is_some());
                if self.agreed().is_some() || attempts.count() >= MOST_ATTEMPTS {
                    return None;
                }
                last.confirmed_by().min(self.most)
            }
            // If none is answered, more of them would not be, either.
            Reading::Rejected { answered: 0, .. }
            | Reading::LeftBehind
            | Reading::Failed
            | Reading::Never => return None,
        };
        let pause = if requests == last.requests {
            last.pause
        } else {
            Duration::ZERO
        };
        Some((requests, pause))
    }

    /// As many as in the last round, unless that was the second such round.
    fn again(&self) -> Option<usize> {
        let mut last = self.seen.iter().rev();
        let requests = last.next()?.requests;
        let is_first = last.next().is_none_or(|seen| seen.requests != requests);
        is_first.then_some(requests)
    }

    /// The last round, if it and the one before it that showed anything agree on a number, and it was large
    /// enough.
    fn agreed(&self) -> Option<&Seen> {
        let tells = |seen: &&Seen| !matches!(seen.reading, Reading::Unclear | Reading::Few);
        let mut shown = self.seen.iter().rev().filter(tells);
        let (last, before) = (shown.next()?, shown.next()?);
        let agrees = last.limit()? == before.limit()?;
        let is_large = last.requests >= last.confirmed_by().min(self.most);
        (agrees && is_large).then_some(last)
    }

    /// How many surely ran at the same time in one of the rounds.
    fn at_least(&self) -> usize {
        let surely = |seen: &Seen| match seen.reading {
            Reading::Together => seen.requests,
            _ => seen.at_least,
        };
        self.seen.iter().map(surely).max().unwrap_or_default()
    }

    /// What was found.
    pub(crate) fn found(&self) -> Limit {
        let at_least = self.at_least();
        let asked_up_to = self.seen.iter().map(|seen| seen.requests).max();
        let mut limit = Limit {
            at_a_time: None,
            confirmed: false,
            at_least,
            asked_up_to: asked_up_to.unwrap_or_default().max(1),
            beyond: None,
            status: None,
            sentence: String::new(),
        };
        let Some(last) = self.seen.last() else {
            return limit;
        };
        match last.reading {
            Reading::Steps { .. } | Reading::Rate { .. } => limit.beyond = Some(Beyond::Waits),
            Reading::Rejected { status, .. } => {
                limit.beyond = Some(Beyond::Rejected);
                limit.status = Some(status);
            }
            Reading::LeftBehind => {
                (limit.at_a_time, limit.beyond) = (Some(1), Some(Beyond::Waits));
                limit.confirmed = last.requests > 2;
            }
            _ => {}
        }
        let agreed = self
            .agreed()
            .and_then(|seen| Some((seen, seen.at_a_time()?)));
        // More may have run together in another round, such as one before a rate limit was used up.
        let agreed = agreed.filter(|(_, at_a_time)| at_least <= *at_a_time);
        if let Some((seen, at_a_time)) = agreed {
            let is_dealt_out = matches!(seen.reading, Reading::Steps { even: false, .. });
            if !is_dealt_out || seen.requests >= seen.confirmed_by() {
                limit.at_a_time = Some(at_a_time);
                limit.confirmed = seen.requests >= fewest_to_confirm(at_a_time);
            }
        }
        limit.sentence = wording::sentence(
            &limit,
            &Shown {
                reading: last.reading,
                requests: last.requests,
                because: &last.because,
                at_least,
                numbers: self.seen.iter().filter_map(Seen::at_a_time).collect(),
                cores: self.cores,
            },
        );
        limit
    }
}

impl Seen {
    /// How many ran at a time, if others had to wait or got an error.
    fn at_a_time(&self) -> Option<usize> {
        match self.reading {
            Reading::Steps { at_a_time, .. } => Some(at_a_time),
            Reading::Rejected { served, .. } => served,
            _ => None,
        }
    }

    /// What has to be the same in another round.
    fn limit(&self) -> Option<(usize, Option<usize>, Option<u16>)> {
        match self.reading {
            Reading::Steps { at_a_time, .. } => Some((at_a_time, Some(at_a_time), None)),
            Reading::Rejected {
                answered,
                served,
                status,
                ..
            } => Some((answered, served, Some(status))),
            _ => None,
        }
    }

    /// How many requests have to show the same.
    fn confirmed_by(&self) -> usize {
        match self.reading {
            Reading::Steps {
                at_a_time,
                even: false,
            } => FOR_EACH * at_a_time,
            Reading::Steps { at_a_time, .. } => more_than_twice(at_a_time),
            Reading::Rejected { answered, .. } => more_than_twice(answered),
            _ => self.requests,
        }
    }
}

fn more_than_twice(at_a_time: usize) -> usize {
    let times = if at_a_time <= SMALL { 4 } else { 2 };
    times * at_a_time + 1
}
