//! Where requests wait: the answers to looks, from the workers to whoever asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crossbeam_queue::ArrayQueue;

use crate::stack::StackSample;

/// The most answers that wait to be read. Looks ask for fewer at a time.
const ANSWERS: usize = 1024;

/// The most requests that are woken for looks in one second. Each costs its worker a poll and a few stacks, which
/// take about a tenth of a millisecond.
pub(crate) const A_SECOND: usize = 256;

/// The most stacks that are remembered. The requests of one app wait at fewer places.
const STACKS: usize = 4096;

/// One second, nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// Where a request waited after one of its polls.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) number: u64,
    /// How many polls of it had begun then.
    pub(crate) polls: u64,
    pub(crate) stacks: Vec<StackSample>,
}

/// Passes the answers on. Workers never wait for it.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// Created with the first look.
    answers: OnceLock<ArrayQueue<Answer>>,
    known: Mutex<Known>,
}

/// What is known from the looks so far.
#[derive(Debug, Default)]
pub(crate) struct Known {
    requests: HashMap<u64, Place>,
    /// The stacks that were taken, by their addresses.
    stacks: HashMap<Box<[usize]>, Arc<StackSample>>,
    /// The looks of the last second: when, and how many requests were asked.
    last: VecDeque<(u64, usize)>,
}

/// Where a request waits.
#[derive(Debug)]
struct Place {
    /// After which poll it was asked, and when.
    asked: u64,
    at: u64,
    /// After which poll the stacks were taken; 0 if it has not answered yet.
    polls: u64,
    stacks: Vec<Arc<StackSample>>,
}

/// What is known of a request that was polled so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knows {
    /// Where it waits.
    Place,
    /// That it was asked at this time, and has not answered.
    Asked(u64),
    /// Nothing.
    Nothing,
}

impl Looks {
    /// Takes a worker's answer. If nobody has read a thousand of them, the oldest is lost.
    pub(crate) fn answer(&self, answer: Answer) {
        if let Some(answers) = self.answers.get() {
            answers.force_push(answer);
        }
    }

    /// What is known, with all answers so far.
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        let answers = self.answers.get_or_init(|| ArrayQueue::new(ANSWERS));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(answer) = answers.pop() {
            known.take(answer);
        }
        known
    }
}

impl Known {
    fn take(&mut self, answer: Answer) {
        let Some(place) = self.requests.get_mut(&answer.number) else {
            return;
        };
        if self.stacks.len() >= STACKS {
            self.stacks.clear();
        }
        let stacks = answer.stacks.into_iter().map(|stack| {
            if let Some(known) = self.stacks.get(stack.addresses()) {
                return Arc::clone(known);
            }
            let key = stack.addresses().into();
            let stack = Arc::new(stack);
            self.stacks.insert(key, Arc::clone(&stack));
            stack
        });
        place.stacks = stacks.collect();
        place.polls = answer.polls;
    }

    /// Forgets the requests that are over.
    pub(crate) fn retain(&mut self, is_open: impl Fn(u64) -> bool) {
        self.requests.retain(|number, _| is_open(*number));
    }

    /// What is known of a request that waits, and was polled so often.
    pub(crate) fn of(&self, number: u64, polls: u64) -> Knows {
        match self.requests.get(&number) {
            Some(place) if place.polls == polls => Knows::Place,
            Some(place) if place.asked == polls => Knows::Asked(place.at),
            _ => Knows::Nothing,
        }
    }

    /// How many more requests may be asked at `now`.
    pub(crate) fn budget(&mut self, now: u64) -> usize {
        self.last.retain(|&(at, _)| now.saturating_sub(at) < SECOND);
        let asked: usize = self.last.iter().map(|&(_, asked)| asked).sum();
        A_SECOND.saturating_sub(asked)
    }

    /// Notes that so many requests are asked at `now`.
    pub(crate) fn spend(&mut self, asked: usize, now: u64) {
        if asked > 0 {
            self.last.push_back((now, asked));
        }
    }

    /// Notes that a request is asked that waits since its poll with this number.
    pub(crate) fn ask(&mut self, number: u64, polls: u64, now: u64) {
        let place = self.requests.entry(number).or_insert_with(|| Place {
            asked: 0,
            at: 0,
            polls: 0,
            stacks: Vec::new(),
        });
        (place.asked, place.at) = (polls, now);
    }

    /// Whether the request has answered since it was asked.
    pub(crate) fn has_answered(&self, number: u64) -> bool {
        let place = self.requests.get(&number);
        place.is_none_or(|place| place.polls > place.asked)
    }

    /// The stacks at which a request waits that was polled so often; empty if it was polled since they were taken.
    pub(crate) fn stacks(&self, number: u64, polls: u64) -> &[Arc<StackSample>] {
        match self.requests.get(&number) {
            Some(place) if place.polls == polls => &place.stacks,
            _ => &[],
        }
    }

    /// All stacks at which requests wait and whose names are not known, each once.
    pub(crate) fn unnamed(&self) -> Vec<Arc<StackSample>> {
        let stacks = self.requests.values().flat_map(|place| &place.stacks);
        let mut unnamed: Vec<_> = stacks.filter(|stack| !stack.is_known()).collect();
        unnamed.sort_unstable_by_key(|stack| Arc::as_ptr(stack));
        unnamed.dedup_by(|one, other| Arc::ptr_eq(one, other));
        unnamed.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_looks_than_allowed() {
        let (mut known, mut all) = (Known::default(), Vec::new());
        let mut now = 0;
        for n in 0..500_u64 {
            now += n.wrapping_mul(6_364_136_223_846_793_005) % 90_000_000;
            let wanted = usize::try_from(n % 150).expect("small");
            let asked = wanted.min(known.budget(now));
            known.spend(asked, now);
            all.push((now, asked));
        }
        let most = all.iter().map(|&(from, _)| {
            let within = all
                .iter()
                .filter(|&&(at, _)| at >= from && at - from < SECOND);
            within.map(|(_, asked)| asked).sum::<usize>()
        });
        assert_eq!(most.max(), Some(A_SECOND));
        assert_eq!(known.budget(now + SECOND), A_SECOND);
    }
}
