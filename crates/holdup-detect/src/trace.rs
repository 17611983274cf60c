//! Where a future waits that somebody polls who has no request for it, as a test does.

use std::sync::Arc;
use std::task::{Context, Waker};

use holdup_model::{AwaitPoint, RouteName};

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
    places::each_worker(|worker| {
        for slot in worker.state.slots.iter() {
            slot.look_at_next_poll();
        }
    });
    let ((polled, outer), inner) = captured::during(|| stack::trace_awaits(waker, poll));
    let stacks = if inner.is_empty() { outer } else { inner };
    (polled, Traced(stacks.into_iter().map(Arc::new).collect()))
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
