//! Looks at where the requests of a race wait. A look wakes them, and polls each through a trace.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use holdup_detect::Traced;
use holdup_model::RouteName;

/// The most requests that one look asks. Each takes a tenth of a millisecond (in a debug build) of the thread whose
/// times are measured.
const ASKED: usize = 16;

/// Where the requests of a race waited at one moment.
#[derive(Debug)]
pub(super) struct Look {
    /// When, since the requests were sent.
    pub(super) after: Duration,
    /// The requests that waited then.
    pub(super) waited: Vec<Waiting>,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Which request of the race it is, from 0.
    pub(super) place: usize,
    /// When it began to wait, since the requests were sent.
    pub(super) since: Duration,
    pub(super) traced: Traced,
}

/// What looks at one request of a race need and find.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Wakes the request. `None` before its first poll, and once it is over.
    waker: RefCell<Option<Waker>>,
    /// The number of the look for which it was asked and has not answered.
    asked: Cell<Option<usize>>,
    /// The look's number, since when the request waited, and where.
    found: RefCell<Vec<(usize, Instant, Traced)>>,
    /// When its latest poll ended that was not for a look.
    idle: Cell<Option<Instant>>,
    running: Cell<Duration>,
    route: OnceCell<RouteName>,
}

impl Looked {
    /// Asks the requests that are not over where they wait. If there are more than [`ASKED`], those that are asked are
    /// spread evenly, because those that were sent first may be the ones that run.
    pub(super) fn ask(all: &[Self], look: usize) {
        let open = all.iter().filter(|looked| looked.waker.borrow().is_some());
        let open: Vec<_> = open.collect();
        let asked = open.len().min(ASKED);
        for index in 0..asked {
            let looked = open[index * open.len() / asked];
            looked.asked.set(Some(look));
            if let Some(waker) = &*looked.waker.borrow() {
                waker.wake_by_ref();
            }
        }
    }

    /// Runs the request's future, and answers the looks.
    pub(super) async fn poll<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| self.poll_once(context, |context| future.as_mut().poll(context))).await
    }

    fn poll_once<T>(
        &self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let began = Instant::now();
        let (polled, traced) = match self.asked.take() {
            Some(look) => {
                let (polled, traced) = holdup_detect::trace(context.waker(), poll);
                (polled, Some((look, traced)))
            }
            None => (poll(context), None),
        };
        let ended = Instant::now();
        self.running.set(self.running.get() + (ended - began));
        if polled.is_ready() {
            self.waker.take();
            return polled;
        }
        match traced {
            Some((look, traced)) => {
                let since = self.idle.get().unwrap_or(began);
                self.found.borrow_mut().push((look, since, traced));
            }
            None => self.idle.set(Some(ended)),
        }
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            *waker = Some(context.waker().clone());
        }
        polled
    }

    /// How long its polls took.
    pub(super) fn running(&self) -> Duration {
        self.running.get()
    }

    pub(super) fn set_route(&self, route: RouteName) {
        self.route.get_or_init(|| route);
    }

    pub(super) fn route(&self) -> Option<RouteName> {
        self.route.get().cloned()
    }
}

impl Look {
    /// All looks of a race that began at `start`, from the times at which they were made and what was found.
    pub(super) fn all(times: &[Duration], looked: Vec<Looked>, start: Instant) -> Vec<Self> {
        let look = |&after: &Duration| Self {
            after,
            waited: Vec::new(),
        };
        let mut looks: Vec<_> = times.iter().map(look).collect();
        for (place, looked) in looked.into_iter().enumerate() {
            for (look, since, traced) in looked.found.into_inner() {
                looks[look].waited.push(Waiting {
                    place,
                    since: since - start,
                    traced,
                });
            }
        }
        looks
    }
}
