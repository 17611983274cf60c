//! Where a future waits that somebody polls who has no request for it, as a test does.

use std::sync::Arc;
use std::task::{Context, Waker};

use holdup_model::{AwaitPoint, RouteName};

use crate::slot::Slot;
use crate::stack::StackSample;
use crate::{captured, look, places, stack};

/// Whether [`trace`] takes stacks: with the feature `stacks`. Without it, nothing is ever traced.
pub const TRACES: bool = cfg!(feature = "stacks");

/// The stacks at which a future waits. Their names are not looked up yet.
#[derive(Debug)]
pub struct Traced(Vec<Arc<StackSample>>);

/// Polls a future, and takes a stack wherever it hands out its waker: these are the places at which it waits, if it
/// returns `Pending`. The poll has a waker that passes everything on to `waker`; what the future keeps is a clone of
/// `waker` itself. Each stack costs some tens of microseconds.
///
/// If the future contains watched requests, they have put a waker of their own before what they wait for. Then the
/// stacks are taken behind that.
///
/// ```
/// use std::future::Future;
/// use std::pin::pin;
/// use std::task::Waker;
///
/// use holdup_model::RouteName;
///
/// let (_sender, receiver) = tokio::sync::oneshot::channel::<()>();
/// let mut waits = pin!(async { receiver.await });
/// let (polled, traced) =
///     holdup_detect::trace(Waker::noop(), |context| waits.as_mut().poll(context));
/// assert!(polled.is_pending());
/// for point in traced.points(&RouteName::new("GET", "/report")) {
///     println!("{point}");
/// }
/// ```
pub fn trace<R>(waker: &Waker, poll: impl FnOnce(&mut Context<'_>) -> R) -> (R, Traced) {
    let _marked = Marked::begin();
    let ((polled, outer), inner) = captured::during(|| stack::trace_awaits(waker, poll));
    let stacks = if inner.is_empty() { outer } else { inner };
    (polled, Traced(stacks.into_iter().map(Arc::new).collect()))
}

/// The slots of this thread's workers, of which each takes its stacks if it is polled. Those that were not polled are
/// as before after this, also after a panic.
struct Marked(Vec<Arc<Slot>>);

impl Marked {
    fn begin() -> Self {
        let mut marked = Vec::new();
        places::each_worker(|worker| {
            marked.extend(worker.state.slots.iter().filter(|slot| slot.begin_trace()));
        });
        Self(marked)
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        for slot in &self.0 {
            slot.end_trace();
        }
    }
}

impl Traced {
    /// The places at which a request of `route` waits, each once. The first call looks up the names, which may take
    /// half a second.
    pub fn points(&self, route: &RouteName) -> Vec<AwaitPoint> {
        for stack in &self.0 {
            stack.look_up();
        }
        look::points(&self.0, route)
    }
}

/// Two are equal if they have the same stacks.
impl PartialEq for Traced {
    fn eq(&self, other: &Self) -> bool {
        let stacks = self.0.iter().map(|stack| stack.addresses());
        stacks.eq(other.0.iter().map(|stack| stack.addresses()))
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::task::Poll;

    use holdup_model::Part;

    use crate::clock::Clock;
    use crate::request::Request;
    use crate::routes::Route;
    use crate::shared::Shared;
    use crate::threads::{self, Threads};
    use crate::worker::Worker;

    use super::*;

    fn open(worker: &Rc<Worker>) -> Request {
        let (method, pattern) = ("GET", "/".to_owned());
        let route = worker.route_number(Route { method, pattern });
        Request::open(worker, route, |_| ("/", None))
    }

    /// For each slot whether its next poll would take stacks, which it does not any more after this.
    fn taken(worker: &Worker) -> Vec<bool> {
        let slots = worker.state.slots.iter();
        slots.map(|slot| slot.take_look()).collect()
    }

    #[test]
    fn only_what_is_polled_in_a_trace_takes_its_stacks() {
        let shared = Arc::new(Shared::new(
            Clock::default(),
            Threads::new(threads::system()),
        ));
        let worker = places::current(&shared);
        let requests = [open(&worker), open(&worker), open(&worker)];
        let poll = |request: &Request, context: &mut Context<'_>| {
            request.poll(Part::Future, context, |_| Poll::<()>::Pending)
        };
        let (polled, _) = trace(Waker::noop(), |context| {
            // One within this one leaves what it has marked.
            let (polled, _) = trace(Waker::noop(), |context| poll(&requests[0], context));
            assert!(polled.is_pending());
            assert_eq!(taken(&worker), [false, true, true]);
            poll(&requests[1], context)
        });
        assert!(polled.is_pending());
        assert_eq!(taken(&worker), [false; 3]);

        let (polled, _) = trace(Waker::noop(), |context| poll(&requests[1], context));
        assert!(polled.is_pending());
        assert_eq!(taken(&worker), [false; 3]);

        // What another thread has asked for in the trace is not taken back.
        trace(Waker::noop(), |_| {
            worker.state.slots.iter().for_each(|slot| slot.wish_look());
        });
        assert_eq!(taken(&worker), [true; 3]);
    }
}
