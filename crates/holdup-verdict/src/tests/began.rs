//! First bytes, with simulated servers that stream answers of different length.

use std::time::Duration;

use super::dice::Dice;
use crate::experiment::{Experiment, Findings, Policy, Round, Step};
use crate::{Began, Kind, began};
use holdup_model::{Lane, Timeline};

/// How a server works on several answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// So many at a time; the others wait.
    Slots(usize),
    /// On all at a time, which slow each other down by this part for each further one.
    Batched(f64),
}

/// A server that streams, as one for language models does. Times in seconds.
#[derive(Debug, Clone)]
struct Model {
    way: Way,
    /// From when a request gets a slot to its first word.
    first: f64,
    /// From one word to the next.
    pace: f64,
    jitter: f64,
    /// The fewest and the most words of an answer.
    words: (usize, usize),
    /// Until the client notices something, at most.
    overhead: f64,
    /// Something keeps the client or the server from working for this long, once.
    pause: f64,
    /// Whether a comment is sent as soon as a request comes.
    comment: bool,
    dice: Dice,
    now: f64,
}

impl Model {
    fn new(way: Way) -> Self {
        Self {
            way,
            first: 0.2,
            pace: 0.05,
            jitter: 0.0,
            words: (4, 30),
            overhead: 0.0,
            pause: 0.0,
            comment: false,
            dice: Dice(1),
            now: 0.0,
        }
    }

    /// Answers so many requests that are sent now.
    fn ask(&mut self, requests: usize) -> Vec<Lane> {
        let sent = self.now;
        let (slots, slower) = match self.way {
            Way::Slots(slots) => (slots, 1.0),
            #[expect(clippy::cast_precision_loss, reason = "few requests")]
            Way::Batched(each) => (requests, 1.0 + each * (requests - 1) as f64),
        };
        let mut free = vec![sent; slots];
        let paused = sent + self.dice.between(0.0, 2.0);
        let mut lanes = Vec::new();
        for _ in 0..requests {
            free.sort_by(f64::total_cmp);
            let mut at = free[0] + self.vary(self.first) * slower;
            let mut lane = Lane::start("/chat", seconds(sent));
            lane.record_head(seconds(sent + 0.001), 200);
            if self.comment {
                lane.record_chunk(seconds(sent + 0.002), b": wait\n\n");
            }
            let (fewest, most) = self.words;
            let words = fewest + self.dice.below(most - fewest + 1);
            let mut last = 0.0_f64;
            for word in 0..words {
                if word > 0 {
                    at += self.vary(self.pace) * slower;
                }
                last = last.max(self.seen(at, paused));
                lane.record_chunk(seconds(last), b"data: word\n\n");
            }
            lane.finish(seconds(last + self.dice.between(0.0, self.overhead)));
            self.now = self.now.max(last + self.overhead);
            free[0] = at;
            lanes.push(lane);
        }
        lanes
    }

    fn vary(&mut self, time: f64) -> f64 {
        time * self.dice.between(1.0 - self.jitter, 1.0 + self.jitter)
    }

    /// When the client notices what happens then.
    fn seen(&mut self, at: f64, paused: f64) -> f64 {
        let at = at + self.dice.between(0.0, self.overhead);
        if (paused..paused + self.pause).contains(&at) {
            paused + self.pause
        } else {
            at
        }
    }

    /// Two requests alone, and then so many at once.
    fn began(&mut self, requests: usize) -> Option<Began> {
        let alone = [self.ask(1).remove(0), self.ask(1).remove(0)];
        began(&alone, &Timeline::from(self.ask(requests)))
    }

    /// The whole experiment.
    fn judged(&mut self, policy: Policy) -> (Vec<Round>, Findings) {
        let mut experiment = Experiment::new(policy);
        let mut asked = Vec::new();
        loop {
            let round = match experiment.next() {
                Step::Ask(round) => round.clone(),
                Step::Done(findings) => return (asked, (**findings).clone()),
            };
            self.now += round.pause.as_secs_f64();
            let lanes = self.ask(round.asks.len());
            asked.push(round);
            experiment.feed(lanes);
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn slots_show_by_first_bytes_although_the_ends_are_irregular() {
    for (slots, kind) in [
        (1, Kind::Serialized),
        (2, Kind::Limited),
        (4, Kind::Limited),
    ] {
        let began = Model::new(Way::Slots(slots)).began(6);
        let expected = Some((kind, Some(slots)));
        assert_eq!(
            began.map(|began| (began.verdict, began.at_a_time)),
            expected
        );
    }
    for way in [Way::Slots(6), Way::Batched(0.0), Way::Batched(0.2)] {
        let began = Model::new(way).began(6);
        let expected = Some((Kind::Concurrent, Some(6)));
        assert_eq!(
            began.map(|began| (began.verdict, began.at_a_time)),
            expected,
            "{way:?}"
        );
    }
}

#[test]
fn a_comment_before_its_turn_is_no_beginning() {
    for (way, expected) in [
        (Way::Slots(2), (Kind::Limited, Some(2))),
        (Way::Slots(6), (Kind::Concurrent, Some(6))),
    ] {
        let mut model = Model::new(way);
        model.comment = true;
        let began = model.began(6);
        assert_eq!(
            began.map(|began| (began.verdict, began.at_a_time)),
            Some(expected)
        );
    }
}

#[test]
fn answers_of_equal_length_and_those_in_one_piece_are_left_to_their_ends() {
    let mut equal = Model::new(Way::Slots(2));
    equal.words = (10, 10);
    assert_eq!(equal.began(6), None);
    let mut short = Model::new(Way::Slots(2));
    short.words = (1, 1);
    assert_eq!(short.began(6), None);
    // Some failed.
    let mut model = Model::new(Way::Slots(2));
    let alone = model.ask(1);
    let mut at_once = model.ask(6);
    at_once[3].record_head(seconds(1.0), 503);
    assert_eq!(began(&alone, &at_once.into()), None);
}

#[test]
fn starts_that_follow_no_end_are_inconclusive() {
    let mut model = Model::new(Way::Slots(6));
    let alone = model.ask(1);
    let mut at_once = Vec::new();
    // One starts every 700 ms, whether or not another one has ended.
    for _ in 0..6 {
        let sent = model.now;
        at_once.extend(model.ask(1));
        model.now = sent + 0.7;
    }
    let began = began(&alone, &at_once.into()).expect("they are streamed");
    assert_eq!((began.verdict, began.at_a_time), (Kind::Inconclusive, None));
}

#[test]
fn the_plan_adds_what_the_first_bytes_show() {
    let mut model = Model::new(Way::Slots(2));
    model.dice = Dice(5);
    let mut policy = Policy::outside(6);
    policy.limit = Some(128);
    let (_, findings) = model.judged(policy);
    let began = findings.began.expect("they are streamed");
    assert_eq!((began.verdict, began.at_a_time), (Kind::Limited, Some(2)));
    let line = "by first bytes: 2 at a time; each further answer began when another one had ended";
    assert_eq!(
        findings.verdict.evidence.last().map(String::as_str),
        Some(line)
    );
    let limit = findings.limit.expect("it was asked for");
    assert_eq!(
        (limit.at_a_time, limit.confirmed),
        (Some(2), true),
        "{limit:#?}"
    );

    // A single one that waits may be chance, so the round is repeated.
    let mut model = Model::new(Way::Slots(3));
    model.dice = Dice(5);
    let (asked, findings) = model.judged(Policy::outside(4));
    let began = findings.began.expect("they are streamed");
    assert_eq!((began.verdict, began.at_a_time), (Kind::Limited, Some(3)));
    let unique = asked.iter().filter(|round| round.asks.len() == 4);
    assert!(unique.count() >= 2);
}

#[test]
fn first_bytes_are_read_right_or_not_at_all() {
    let mut dice = Dice(31);
    let (mut wrong, mut clear, mut told) = (Vec::new(), 0, 0);
    for run in 0..10_000 {
        let n = 3 + dice.below(10);
        let slots = 1 + dice.below(n + 2);
        let way = match run % 4 {
            0 => Way::Batched(dice.between(0.0, 0.5)),
            _ => Way::Slots(slots),
        };
        let mut model = Model::new(way);
        model.first = dice.between(0.0, 0.5);
        model.pace = dice.between(0.01, 0.1);
        model.jitter = dice.between(0.0, 0.3);
        model.overhead = dice.between(0.0, 0.008);
        model.comment = run % 5 == 0;
        if dice.roll() < 0.3 {
            model.pause = dice.between(0.0, 0.15);
        }
        model.dice = Dice(dice.0);
        let Some(found) = model.began(n) else {
            continue;
        };
        let at_a_time = match way {
            Way::Slots(slots) => slots.min(n),
            Way::Batched(_) => n,
        };
        let kind = match at_a_time {
            _ if at_a_time == n => Kind::Concurrent,
            1 => Kind::Serialized,
            _ => Kind::Limited,
        };
        let right = (found.verdict, found.at_a_time) == (kind, Some(at_a_time));
        // A single one that waits is asked for once more.
        let confirmed = !found.needs_confirmation(n);
        if found.verdict != Kind::Inconclusive && !right && confirmed {
            wrong.push((found.clone(), n, model.clone()));
        }
        // Answers that take no longer than the noise are not clear.
        let shortest = model.pace * 3.0;
        if shortest > 0.1 && model.pause == 0.0 && model.first < 0.3 {
            clear += 1;
            told += usize::from(right);
        }
    }
    assert!(wrong.is_empty(), "{} {:#?}", wrong.len(), wrong.first());
    assert!(told * 100 >= clear * 95, "{told} of {clear}");
}
