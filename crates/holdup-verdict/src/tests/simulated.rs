//! Simulated servers: the verdict is never wrong, and it is conclusive if the case is clear.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "simulated numbers are small and positive"
)]

use std::time::Duration;

use proptest::prelude::*;

use super::dice::Dice;
use crate::{Kind, LeftBehind, Reason, Rested, Verdict, judge, judge_left_behind};
use holdup_model::{Failure, Lane, Timeline};

/// What requests meet with. Times in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Conditions {
    service: f64,
    /// Each request takes this part of the service more or less.
    jitter: f64,
    /// Requests arrive within this time.
    arrivals: f64,
    /// Connecting, sending, waking up: at most this for each.
    overhead: f64,
}

/// A lane that was asked at `asked` and finished at `finished`, in milliseconds.
fn lane(asked: f64, finished: f64) -> Lane {
    let time = |ms: f64| Duration::from_secs_f64(ms / 1e3);
    let mut lane = Lane::start("/", time(asked));
    lane.record_head(time(asked), 200);
    lane.finish(time(finished));
    lane
}

impl Conditions {
    fn work(self, dice: &mut Dice) -> f64 {
        self.service * dice.between(1.0 - self.jitter, 1.0 + self.jitter)
    }

    fn alone(self, dice: &mut Dice) -> Vec<Lane> {
        let mut one = || self.work(dice) + dice.between(0.0, self.overhead);
        vec![lane(0.0, one()), lane(0.0, one())]
    }

    /// When each of `n` is asked, the first at 0.
    fn asked(self, n: usize, dice: &mut Dice) -> Vec<f64> {
        let mut asked: Vec<_> = (0..n).map(|_| dice.between(0.0, self.arrivals)).collect();
        asked.sort_by(f64::total_cmp);
        asked
    }

    /// `workers` that take requests in turn, each one at a time.
    fn queue(self, n: usize, workers: usize, dice: &mut Dice) -> Timeline {
        let mut free = vec![0.0; workers];
        let mut lanes = Vec::new();
        for asked in self.asked(n, dice) {
            free.sort_by(f64::total_cmp);
            free[0] = f64::max(free[0], asked) + self.work(dice);
            lanes.push(lane(asked, free[0] + dice.between(0.0, self.overhead)));
        }
        Timeline::from(lanes)
    }

    /// `workers` that each have a line of their own, dealt out by chance; and how many got any.
    fn lines(self, n: usize, workers: usize, dice: &mut Dice) -> (Timeline, usize) {
        let mut free = vec![0.0; workers];
        let mut lanes = Vec::new();
        for asked in self.asked(n, dice) {
            let worker = (dice.roll() * workers as f64) as usize;
            free[worker] = f64::max(free[worker], asked) + self.work(dice);
            lanes.push(lane(asked, free[worker] + dice.between(0.0, self.overhead)));
        }
        let busy = free.iter().filter(|free| **free > 0.0).count();
        (Timeline::from(lanes), busy)
    }

    /// `width` requests at a time, which together take `slower` times as long as one alone.
    fn batches(self, n: usize, width: usize, slower: f64, dice: &mut Dice) -> Timeline {
        let asked = self.asked(n, dice);
        let mut free = 0.0;
        let mut lanes = Vec::new();
        for batch in asked.chunks(width) {
            // The smaller the batch, the less it is slowed down.
            let slower = 1.0 + (slower - 1.0) * (batch.len() - 1) as f64 / (width - 1) as f64;
            free = f64::max(free, batch[batch.len() - 1]) + self.work(dice) * slower;
            for asked in batch {
                lanes.push(lane(*asked, free + dice.between(0.0, self.overhead)));
            }
        }
        Timeline::from(lanes)
    }

    /// A token bucket of `burst` that gets one token `every` so many milliseconds.
    fn tokens(self, n: usize, burst: usize, every: f64, dice: &mut Dice) -> Timeline {
        let mut lanes = Vec::new();
        for (place, asked) in self.asked(n, dice).into_iter().enumerate() {
            let token = every * (place + 1).saturating_sub(burst) as f64;
            let finished = f64::max(asked, token) + self.work(dice);
            lanes.push(lane(asked, finished + dice.between(0.0, self.overhead)));
        }
        Timeline::from(lanes)
    }

    /// `cores` that all requests share evenly, in turns that are too short to be seen.
    fn shared(self, n: usize, cores: usize, dice: &mut Dice) -> Timeline {
        let asked = self.asked(n, dice);
        let mut work: Vec<_> = asked.iter().map(|_| self.work(dice)).collect();
        work.sort_by(f64::total_cmp);
        let (mut now, mut done) = (0.0, 0.0);
        let mut lanes = Vec::new();
        for (finished, (work, asked)) in work.iter().zip(asked).enumerate() {
            let slowdown = ((n - finished) as f64 / cores as f64).max(1.0);
            now += (work - done) * slowdown;
            done = *work;
            lanes.push(lane(asked, asked + now + dice.between(0.0, self.overhead)));
        }
        Timeline::from(lanes)
    }
}

/// Whether `verdict` says that `at_a_time` of the requests ran at a time.
fn right(verdict: &Verdict, at_a_time: usize) -> bool {
    let n = verdict.lanes;
    let kind = match at_a_time {
        _ if at_a_time >= n => Kind::Concurrent,
        1 => Kind::Serialized,
        _ => Kind::Limited,
    };
    verdict.kind == kind && verdict.at_a_time == Some(at_a_time.min(n))
}

fn wrong(verdict: &Verdict, at_a_time: usize) -> bool {
    verdict.kind != Kind::Inconclusive && !right(verdict, at_a_time)
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let ranges = (20.0..3000.0, 0.0..0.1, 0.0..8.0, 0.0..4.0);
    ranges.prop_map(|(service, jitter, arrivals, overhead)| Conditions {
        service,
        jitter,
        arrivals,
        overhead,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_queue_is_judged_right_or_not_at_all(
        (conditions, n, workers, seed) in (conditions(), 2..=16_usize, 1..=16_usize, any::<u64>())
    ) {
        let mut dice = Dice(seed);
        let alone = conditions.alone(&mut dice);
        let verdict = judge(&alone, &conditions.queue(n, workers, &mut dice));
        prop_assert!(!wrong(&verdict, workers), "{verdict:#?}");
    }

    #[test]
    fn lines_of_uneven_length_are_judged_right_or_not_at_all(
        (conditions, n, workers, seed) in (conditions(), 2..=16_usize, 1..=8_usize, any::<u64>())
    ) {
        let mut dice = Dice(seed);
        let alone = conditions.alone(&mut dice);
        let (at_once, busy) = conditions.lines(n, workers, &mut dice);
        let verdict = judge(&alone, &at_once);
        prop_assert!(!wrong(&verdict, busy), "{busy}: {verdict:#?}");
    }

    #[test]
    fn a_server_that_shares_its_cores_seems_serialized_only_with_one_and_seldom_concurrent(
        (conditions, n, cores, seed) in (conditions(), 2..=16_usize, 0..8_usize, any::<u64>())
    ) {
        let cores = 1 + cores % (n - 1);
        let mut dice = Dice(seed);
        let alone = conditions.alone(&mut dice);
        let verdict = judge(&alone, &conditions.shared(n, cores, &mut dice));
        if cores > 1 {
            prop_assert_ne!(verdict.kind, Kind::Serialized);
        }
        // At two thirds, work that varies by a tenth may hide it.
        if cores * 3 < n * 2 {
            prop_assert_ne!(verdict.kind, Kind::Concurrent, "{:#?}", verdict);
        }
        if let Some(at_a_time) = verdict.at_a_time.filter(|_| verdict.kind == Kind::Limited) {
            prop_assert!(at_a_time > 1);
            prop_assert!(at_a_time.abs_diff(cores) <= cores / 4, "{verdict:#?}");
        }
    }

    #[test]
    fn batches_and_pools_with_too_few_cores_are_judged_right_or_not_at_all(
        (conditions, n, width, slower, seed) in
            (conditions(), 4..=16_usize, 2..=8_usize, 1.0..6.0, any::<u64>())
    ) {
        let mut dice = Dice(seed);
        let alone = conditions.alone(&mut dice);
        let verdict = judge(&alone, &conditions.batches(n, width, slower, &mut dice));
        // So slow that a batch gains nothing over one by one, it is as if serialized.
        let no_gain = slower * 1.3 >= width as f64;
        let serialized = no_gain && verdict.reason == Some(Reason::Shared);
        // One batch alone looks as cores do that all share: as many as did the work of all.
        let share = verdict.speedup.unwrap_or_default();
        let few = verdict.reason == Some(Reason::Shared)
            && n <= width
            && (verdict.at_a_time.unwrap_or_default() as f64 - share).abs() <= 0.5;
        prop_assert!(few || serialized || !wrong(&verdict, width), "{verdict:#?}");
    }

    #[test]
    fn a_limit_on_the_rate_is_no_other_limit(
        (conditions, n, burst, every, seed) in
            (conditions(), 2..=16_usize, 1..=8_usize, 5.0..1000.0, any::<u64>())
    ) {
        let mut dice = Dice(seed);
        let alone = conditions.alone(&mut dice);
        let verdict = judge(&alone, &conditions.tokens(n, burst, every, &mut dice));
        // Where tokens come as fast as some workers would become free, as many requests do run at a
        // time, and where all have come before a request takes notice, nothing was limited.
        let at_a_time = verdict.at_a_time.unwrap_or(n) as f64;
        let queue = (0.6..1.7).contains(&(every * at_a_time / conditions.service))
            || every < 1.7 * conditions.service && right(&verdict, burst);
        let unnoticed = verdict.kind == Kind::Concurrent
            && every * n.saturating_sub(burst) as f64 <= 0.5 * conditions.service + 20.0;
        let rate = matches!(verdict.reason, Some(Reason::Rate { burst: seen, .. }) if seen == burst);
        let told = rate || queue || unnoticed || n <= burst && right(&verdict, n);
        prop_assert!(told || verdict.kind == Kind::Inconclusive, "{verdict:#?}");
    }

    #[test]
    fn kept_answers_are_never_taken_for_work(
        (conditions, n, seed) in (conditions(), 2..=16_usize, any::<u64>())
    ) {
        let mut dice = Dice(seed);
        let alone = conditions.alone(&mut dice);
        let mut at_once = conditions.queue(n, n, &mut dice);
        let kept = 1 + dice.between(0.0, n as f64) as usize;
        for slot in at_once.lanes.iter_mut().take(kept) {
            *slot = lane(0.0, dice.between(0.1, 5.0));
        }
        let verdict = judge(&alone, &at_once);
        prop_assert_eq!(verdict.kind, Kind::Inconclusive);
    }

    #[test]
    fn one_that_waits_among_many_is_no_verdict(
        (conditions, n, seed) in (conditions(), 6..=16_usize, any::<u64>())
    ) {
        let mut dice = Dice(seed);
        let alone = conditions.alone(&mut dice);
        let mut at_once = conditions.queue(n, n, &mut dice);
        let late = conditions.service * dice.between(1.6, 9.0) + 30.0;
        at_once.lanes[dice.between(0.0, n as f64) as usize] = lane(0.0, late);
        let verdict = judge(&alone, &at_once);
        let expected = Some(Reason::Stragglers { count: 1 });
        let too_fast = [Some(Reason::TooShort), Some(Reason::NotAtOnce)];
        let unjudged = too_fast.contains(&verdict.reason);
        prop_assert!(unjudged || verdict.reason == expected, "{verdict:#?}");
    }

    #[test]
    fn a_failure_or_an_error_is_no_verdict(
        (conditions, n, workers, seed) in (conditions(), 2..=16_usize, 1..=16_usize, any::<u64>())
    ) {
        let mut dice = Dice(seed);
        let alone = conditions.alone(&mut dice);
        let mut at_once = conditions.queue(n, workers, &mut dice);
        let odd = &mut at_once.lanes[dice.between(0.0, n as f64) as usize];
        let ended = odd.finished_at().expect("it finished");
        if dice.roll() < 0.5 {
            odd.fail(ended, Failure::Reset);
        } else {
            odd.record_head(ended, 503);
        }
        prop_assert_eq!(judge(&alone, &at_once).kind, Kind::Inconclusive);
    }
}

/// A server with an event loop that answers after `answer` and then blocks for `behind`, or, without it, one
/// whose requests take what they take and leave nothing.
struct Loop<'a> {
    dice: &'a mut Dice,
    answer: f64,
    behind: Option<f64>,
    /// Until when it is blocked.
    blocked: f64,
    now: f64,
}

impl Loop<'_> {
    /// Asks `n` at the time that it is, and goes on to when all are answered.
    fn ask(&mut self, n: usize) -> Vec<Lane> {
        let asked = self.now;
        let mut lanes = Vec::new();
        for _ in 0..n {
            let noise = self.dice.between(0.0, 2.0);
            let takes = match self.behind {
                Some(_) => f64::max(self.blocked - asked, 0.0) + self.answer,
                // Now and then three times as long.
                None => self.answer * if self.dice.roll() < 0.3 { 3.0 } else { 1.0 },
            };
            lanes.push(lane(asked, asked + takes + noise));
        }
        let ended = |lane: &Lane| lane.finished_at().expect("it finished").as_secs_f64() * 1e3;
        self.now = lanes.iter().map(ended).fold(asked, f64::max);
        if let Some(behind) = self.behind {
            let left = (0..n).map(|_| behind * self.dice.between(0.97, 1.03));
            self.blocked = f64::max(self.blocked, self.now) + left.sum::<f64>();
        }
        lanes
    }

    fn pause(&mut self, pause: Duration) {
        self.now += pause.as_secs_f64() * 1e3;
    }

    fn rested(&mut self, pause: Duration) -> Rested {
        self.pause(pause);
        let first = self.ask(1).remove(0);
        self.pause(LeftBehind::MOMENT);
        let next = self.ask(1).remove(0);
        Rested { first, next }
    }

    /// The whole experiment, as the prober makes it.
    fn judged(&mut self, n: usize) -> Option<Verdict> {
        let look_ahead = self.ask(1).remove(0);
        let alone = [self.ask(1).remove(0), self.ask(1).remove(0)];
        let pause = LeftBehind::suspected(&look_ahead, &alone)?;
        let pairs: Vec<_> = (0..3).map(|_| self.rested(pause)).collect();
        let found = pairs
            .windows(2)
            .find_map(|pairs| LeftBehind::found(&alone, &[pairs[0].clone(), pairs[1].clone()]))?;
        let mut round = || {
            self.pause(found.pause(1));
            let at_once = self.ask(n).into();
            self.pause(LeftBehind::MOMENT);
            let next = self.ask(1).remove(0);
            judge_left_behind(found, &alone, &at_once, &next)
        };
        let mut verdict = round()?;
        for _ in 1..LeftBehind::rounds(n) {
            verdict = verdict.confirm_with(&round()?);
        }
        Some(verdict)
    }
}

#[test]
fn what_is_left_behind_is_found_and_work_that_varies_is_not_taken_for_it() {
    let mut dice = Dice(5);
    let rounds = 20_000;
    let (mut found, mut mistaken) = (0, 0);
    for round in 0..rounds {
        let n = 2 + round % 15;
        let behind = dice.between(60.0, 2000.0);
        let answer = dice.between(1.0, 200.0);
        for behind in [Some(behind), None] {
            let mut server = Loop {
                dice: &mut dice,
                answer: if behind.is_some() {
                    answer
                } else {
                    answer + 30.0
                },
                behind,
                blocked: 0.0,
                now: 0.0,
            };
            let verdict = server.judged(n);
            let serialized = verdict.is_some_and(|verdict| verdict.kind == Kind::Serialized);
            *(if behind.is_some() {
                &mut found
            } else {
                &mut mistaken
            }) += usize::from(serialized);
        }
    }
    // A block that is short beside the answer is not suspected.
    assert!(found * 100 >= rounds * 85, "{found} of {rounds}");
    assert!(mistaken * 1000 <= rounds, "{mistaken} of {rounds}");
}

#[test]
fn three_requests_on_two_shared_cores_seem_concurrent_less_than_once_in_a_thousand_times() {
    let mut dice = Dice(7);
    let rounds = 100_000;
    let mut concurrent = 0;
    for _ in 0..rounds {
        let conditions = Conditions {
            service: dice.between(20.0, 3000.0),
            jitter: dice.between(0.0, 0.1),
            arrivals: dice.between(0.0, 8.0),
            overhead: dice.between(0.0, 4.0),
        };
        let alone = conditions.alone(&mut dice);
        let verdict = judge(&alone, &conditions.shared(3, 2, &mut dice));
        concurrent += usize::from(verdict.kind == Kind::Concurrent);
    }
    assert!(concurrent * 1_000 < rounds, "{concurrent} of {rounds}");
}

#[test]
fn clear_batches_and_rates_get_their_verdicts() {
    let mut dice = Dice(11);
    let rounds = 10_000;
    let (mut batches, mut rates) = (0, 0);
    for _ in 0..rounds {
        let conditions = Conditions {
            service: dice.between(100.0, 2000.0),
            jitter: 0.03,
            arrivals: 5.0,
            overhead: 3.0,
        };
        let alone = conditions.alone(&mut dice);
        let width = dice.between(2.0, 9.0) as usize;
        let slower = dice.between(1.6, width as f64 / 1.2);
        let at_once = conditions.batches(width * 2, width, slower.max(1.6), &mut dice);
        let verdict = judge(&alone, &at_once);
        let no_gain = slower.max(1.6) * 1.2 > width as f64 && verdict.kind == Kind::Serialized;
        batches += u32::from(right(&verdict, width) || no_gain);

        let burst = dice.between(2.0, 9.0) as usize;
        let every = conditions.service * dice.between(1.6, 6.0);
        let at_once = conditions.tokens(burst + 4, burst, every, &mut dice);
        rates += u32::from(right(&judge(&alone, &at_once), burst));
    }
    assert!(batches * 100 >= rounds * 95, "{batches} of {rounds}");
    assert!(rates * 100 >= rounds * 95, "{rates} of {rounds}");
}

#[test]
fn a_clear_case_gets_its_verdict() {
    let mut dice = Dice(7);
    let (mut clear, mut decided) = (0, 0);
    for round in 0..20_000 {
        let n: usize = 2 + round % 15;
        let workers = dice.between(1.0, n as f64 + 1.0) as usize;
        if (1..=n / 6).contains(&n.saturating_sub(workers)) {
            // So few wait that one blocked worker may be the cause: the case is not clear.
            continue;
        }
        let conditions = Conditions {
            service: dice.between(54.0, 2000.0),
            jitter: 0.05,
            arrivals: 5.0,
            overhead: 3.0,
        };
        let alone = conditions.alone(&mut dice);
        let verdict = judge(&alone, &conditions.queue(n, workers, &mut dice));
        clear += 1;
        decided += u32::from(right(&verdict, workers));
    }
    assert!(decided * 100 >= clear * 99, "{decided} of {clear}");
}
