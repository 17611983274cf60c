//! Where requests wait: the answers to looks, from the workers to whoever asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crossbeam_queue::ArrayQueue;

use crate::stack::StackSample;

/// The most answers that wait to be read. One look asks for fewer.
const ANSWERS: usize = 1024;

/// The most requests that are woken for looks in one second. Each costs its worker a poll and a few stacks, which
/// take about a tenth of a millisecond.
pub(crate) const A_SECOND: u32 = 256;

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
    /// When the second began in which looks are counted, and how many there were.
    second: (u64, u32),
}

/// Where a request waits.
#[derive(Debug)]
struct Place {
    /// After which poll it was asked.
    asked: u64,
    /// After which poll the stacks were taken; 0 if it has not answered yet.
    polls: u64,
    stacks: Vec<Arc<StackSample>>,
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
        let stacks = stacks.collect();
        if let Some(place) = self.requests.get_mut(&answer.number) {
            place.polls = answer.polls;
            place.stacks = stacks;
        }
    }

    /// Forgets the requests that are over.
    pub(crate) fn retain(&mut self, is_open: impl Fn(u64) -> bool) {
        self.requests.retain(|number, _| is_open(*number));
    }

    /// Whether a request that waits is to be asked, and notes that it is. It is not asked again as long as it was not
    /// polled. With `is_bounded`, only so many requests are asked in a second.
    pub(crate) fn ask(&mut self, number: u64, polls: u64, now: u64, is_bounded: bool) -> bool {
        if let Some(place) = self.requests.get(&number)
            && place.asked.max(place.polls) == polls
        {
            return false;
        }
        if is_bounded {
            if now.saturating_sub(self.second.0) >= SECOND {
                self.second = (now, 0);
            }
            if self.second.1 >= A_SECOND {
                return false;
            }
            self.second.1 += 1;
        }
        let place = self.requests.entry(number).or_insert_with(|| Place {
            asked: 0,
            polls: 0,
            stacks: Vec::new(),
        });
        place.asked = polls;
        true
    }

    /// Whether the request has answered since it was asked.
    pub(crate) fn has_answered(&self, number: u64) -> bool {
        self.requests
            .get(&number)
            .is_none_or(|place| place.polls > place.asked)
    }

    /// The stacks at which a request waits that was polled so often; empty if it was polled since they were taken.
    pub(crate) fn stacks(&self, number: u64, polls: u64) -> &[Arc<StackSample>] {
        match self.requests.get(&number) {
            Some(place) if place.polls == polls => &place.stacks,
            _ => &[],
        }
    }
}
