//! The plan of an experiment: what to ask next, from what was measured so far.
//!
//! An [`Experiment`] does no I/O and reads no clock. Whoever sends the requests asks it for the
//! [next](Experiment::next) [`Step`]: a [`Round`] of requests, or the [`Findings`]. What the requests of the
//! round met with is [fed](Experiment::feed) to it. `holdup probe` and the assertions for tests are two such
//! runners of one plan; they differ in their [`Policy`].
//!
//! The plan, for a server outside ([`Policy::outside`]):
//!
//! 1. *warm-up*: one request, so that what starts at the first request has started;
//! 2. *solo*: one request alone, twice, or once if it takes [long](LONG_SOLO);
//! 3. *unique*: `n` requests at once, each with a URL that nobody has asked for before. Once more if the
//!    verdict [needs it](crate::Verdict::needs_confirmation);
//! 4. *identical*: `n` at once with one URL, and a URL that was asked before once more. Left out unless the
//!    unique ones ran at least two at a time. Up to three further rounds of unique and identical ones if
//!    identical URLs seem to wait for each other.
//!
//! A server that takes long is not asked alone if the rounds together prove that it runs requests at the same
//! time ([`Policy::early`]). If requests take much longer when others went right before, rounds after pauses show what
//! those [leave behind](crate::judge_left_behind).
//!
//! ```
//! use std::time::Duration;
//! use holdup_model::Lane;
//! use holdup_verdict::Kind;
//! use holdup_verdict::experiment::{Experiment, Policy, Step};
//!
//! let ms = Duration::from_millis;
//! let mut experiment = Experiment::new(Policy::in_process(4));
//! let mut now = ms(0);
//! let findings = loop {
//!     match experiment.next() {
//!         Step::Ask(round) => {
//!             // A server that takes 100 ms for each request, one after the other.
//!             now += round.pause;
//!             let mut free = now;
//!             let answered = |_| {
//!                 let mut lane = Lane::start("/report", now);
//!                 free += ms(100);
//!                 lane.record_head(free, 200);
//!                 lane.finish(free);
//!                 lane
//!             };
//!             let lanes: Vec<_> = round.asks.iter().map(answered).collect();
//!             now = free;
//!             experiment.feed(lanes);
//!         }
//!         Step::Done(findings) => break findings.clone(),
//!     }
//! };
//! assert_eq!(findings.verdict.kind, Kind::Serialized);
//! ```
//!
//! # Adding a round
//!
//! The plan (`plan.rs`) reads from top to bottom: a round is asked by `self.ask(round).await`, which gives its
//! lanes. Nothing else is ever awaited: `async` only lets the compiler keep the place in the plan between two
//! calls of [`Experiment::feed`]. So a new contrast is
//!
//! 1. a variant of [`RoundKind`], if runners or readers have to tell it apart. What is asked is said by the
//!    [`Ask`]s: one for each request, with the name of its URL, and a delay where it is not sent at once;
//! 2. a function of its own, in a file of its own, as in `left_behind.rs`, that asks its rounds, judges them,
//!    and writes what it found into a new field of [`Findings`];
//! 3. one line in the plan where it is its turn, behind a switch in the [`Policy`];
//! 4. a simulated server in `tests/experiment.rs` that it finds, and one that it must not be wrong about.

mod asking;
mod desk;
mod early;
mod findings;
mod left_behind;
mod plan;
mod policy;
mod round;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use holdup_model::Lane;

use desk::Desk;

pub use findings::Findings;
pub use policy::{LONG_SOLO, Policy};
pub use round::{Ask, Round, RoundKind};

/// What to do next. There is no other step, so that a runner need not know what to do about one.
#[derive(Debug, Clone)]
pub enum Step {
    /// Ask this round, and [feed](Experiment::feed) what its requests met with.
    Ask(Round),
    /// It is over.
    Done(Box<Findings>),
}

/// An experiment, from its first round to what it found. See the [module](self).
pub struct Experiment {
    step: Step,
    plan: Pin<Box<dyn Future<Output = Findings> + Send>>,
    desk: Desk,
}

impl fmt::Debug for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Experiment");
        debug.field("step", &self.step).finish_non_exhaustive()
    }
}

impl Experiment {
    /// An experiment of which nothing has been asked yet.
    pub fn new(policy: Policy) -> Self {
        let desk = Desk::default();
        let mut experiment = Self {
            step: Step::Done(Box::new(Findings::of(Vec::new()))),
            plan: Box::pin(plan::run(desk.clone(), policy)),
            desk,
        };
        experiment.go_on();
        experiment
    }

    /// What to do next: the same until it has been [fed](Experiment::feed).
    pub fn next(&self) -> &Step {
        &self.step
    }

    /// Goes on with what the requests of the round met with, one lane for each of the round's
    /// [asks](Round::asks), in their order. A lane that has not ended stands for a request that was left.
    /// Lanes that are missing at the end are requests that were not answered. After the last step, it does
    /// nothing.
    pub fn feed(&mut self, lanes: Vec<Lane>) {
        if let Step::Ask(_) = self.step {
            self.desk.answer(lanes);
            self.go_on();
        }
    }

    /// Lets the plan go on until it wants a round asked, or ends.
    fn go_on(&mut self) {
        // The plan waits for nothing that would wake it: only for what it is fed.
        let plan = self.plan.as_mut();
        match plan.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(findings) => self.step = Step::Done(Box::new(findings)),
            Poll::Pending => {
                if let Some(round) = self.desk.wanted() {
                    self.step = Step::Ask(round);
                }
            }
        }
    }
}
