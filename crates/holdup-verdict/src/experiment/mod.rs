//! The plan of an experiment: what to ask next, from what was measured so far.
//!
//! An [`Experiment`] does no I/O and reads no clock. The runner, which sends the requests, takes the
//! [next](Experiment::next) [`Step`] from it: a [`Round`] of requests, or the [`Findings`]. It then
//! [feeds](Experiment::feed) the recorded lanes of the round back. `holdup probe` and the assertions for
//! tests are two such runners of one plan; they differ in their [`Policy`].
//!
//! The plan, for a server outside ([`Policy::outside`]):
//!
//! 1. *warm-up*: one request, so that anything that starts with the first request is already running;
//! 2. *solo*: one request alone, twice, or once if it takes [long](LONG_SOLO);
//! 3. *unique*: `n` requests at once, each with a URL that nobody has requested before, and once more if the
//!    verdict [needs confirmation](crate::Verdict::needs_confirmation);
//! 4. *identical*: `n` at once with one URL, and then a request that repeats an earlier URL. If its answer comes
//!    much sooner, requests for new URLs show whether it was kept. This round is left out unless at least two of
//!    the unique ones ran at a time. If identical URLs seem to wait for each other, up to three further rounds of
//!    unique and identical ones follow.
//! 5. the contrasts that the policy asks for, each of which changes one thing:
//!    - *limit*: more and more requests at once, until some wait or are turned away, and once more;
//!    - *beside*, for each bystander: the other route alone, and then again and again while 1, 2, 4 … requests
//!      run, until they freeze it, and while as many run as run at a time, if that number was passed over;
//!    - *connection*: as many requests on one HTTP/2 connection, and on one connection each;
//!    - *session* and *versus*: requests alone and at once as above, without cookies and credentials, or to a
//!      second URL. A difference is confirmed by further rounds of both.
//!
//! The [cause](crate::cause()) is then read from all verdicts together.
//!
//! The solo round is left out for a server that takes long if the other rounds prove that it runs requests at
//! the same time ([`Policy::early`]). If requests take much longer right after others, rounds after pauses
//! show what requests [leave behind](crate::judge_left_behind).
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
//! 1. a variant of [`RoundKind`], if runners or readers have to distinguish it. The round's [`Ask`]s describe
//!    its requests: each has the name of a URL, and a delay if it is not sent at once;
//! 2. a function of its own, in a file of its own, as in `left_behind.rs`, that asks its rounds, judges them,
//!    and writes what it found into a new field of [`Findings`];
//! 3. one line at the right place in the plan, behind a switch in the [`Policy`];
//! 4. in `tests/experiment.rs`, a simulated server that it must recognize, and one that it must not misjudge.

mod answers;
mod asking;
mod began;
mod bystanders;
mod connection;
mod contrasts;
mod desk;
mod early;
mod findings;
mod left_behind;
mod limit;
mod plan;
mod policy;
mod round;
mod session;
mod variation;
mod varied;
mod versus;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use desk::Desk;

pub use answers::{Answers, Peer};
pub use bystanders::MOST_BESIDE_ROUNDS;
pub use findings::Findings;
pub use policy::{Http2, LONG_SOLO, Policy};
pub use round::{Ask, Bystander, Connections, Round, RoundKind, To};

/// What to do next. The enum is exhaustive, so a runner can handle every step.
#[derive(Debug, Clone)]
pub enum Step {
    /// Send the requests of this round, and [feed](Experiment::feed) their lanes.
    Ask(Round),
    /// The experiment is over.
    Done(Box<Findings>),
}

/// An experiment, from its first round to its findings. See the [module](self).
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
    /// Creates an experiment whose next step is its first round.
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

    /// What to do next. The step stays the same until the experiment is [fed](Experiment::feed).
    pub fn next(&self) -> &Step {
        &self.step
    }

    /// Continues with what the round produced: one lane for each of its [asks](Round::asks), in their order. A
    /// lane that has not ended stands for a request that was abandoned. Lanes that are missing at the end
    /// count as requests that were not answered. After the last step, this does nothing.
    pub fn feed(&mut self, answers: impl Into<Answers>) {
        if let Step::Ask(_) = self.step {
            self.desk.answer(answers.into());
            self.go_on();
        }
    }

    /// Runs the plan until it needs another round, or ends.
    fn go_on(&mut self) {
        // The plan only waits for lanes that are fed to it, so it needs no waker.
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
