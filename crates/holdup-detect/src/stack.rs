//! Stacks of a worker's thread, with the feature `stacks`. The collector takes them, a thread of its own
//! looks up their names, and any thread may read the names that are known.

use std::task::{Context, Waker};

use holdup_model::{AwaitPoint, Culprit, Hold, Line, RouteName};
use holdup_stack::{HANDLER, Place, Reading, Stack, TakeError};

/// A stack that the collector took.
#[derive(Debug)]
pub(crate) struct StackSample(Stack);

/// Why no stack was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// The thread did not answer in time, or is gone.
    Silent,
    /// The program has since installed its own handler for the signal.
    SignalTaken,
}

/// Prepares the process for taking stacks, once. The first call returns whether that succeeded, or why not;
/// later calls return `None`.
pub(crate) fn start() -> Option<Result<(), &'static str>> {
    holdup_stack::start()
}

/// Prepares the calling thread, so that its stack can be taken.
pub(crate) fn prepare_thread() {
    holdup_stack::prepare_thread();
}

/// Whether stacks can be taken now.
pub(crate) fn is_on() -> bool {
    holdup_stack::is_on()
}

/// Why no stacks can be taken; `None` if they can.
pub(crate) fn why_off() -> Option<&'static str> {
    holdup_stack::off()
}

/// Interrupts a thread and takes its stack. Waits up to 50 ms for it.
pub(crate) fn take(thread: Option<u32>) -> Result<StackSample, Missed> {
    match thread.map(holdup_stack::take) {
        Some(Ok(stack)) => Ok(StackSample(stack)),
        Some(Err(TakeError::SignalTaken)) => Err(Missed::SignalTaken),
        _ => Err(Missed::Silent),
    }
}

/// Polls with a waker that takes a stack each time it is cloned, and passes everything on to `waker`.
pub(crate) fn trace_awaits<R>(
    waker: &Waker,
    poll: impl FnOnce(&mut Context<'_>) -> R,
) -> (R, Vec<StackSample>) {
    let (polled, stacks) = holdup_stack::trace_awaits(waker, poll);
    (polled, stacks.into_iter().map(StackSample).collect())
}

/// Frees the line tables, if they were not used for a while before `now`.
pub(crate) fn rest(now: u64) {
    holdup_stack::rest(now);
}

impl StackSample {
    /// What tells it apart from other stacks.
    pub(crate) fn addresses(&self) -> &[usize] {
        self.0.addresses()
    }

    /// Where a request waits that has this stack; `None` while its names are not known, and if it has none.
    pub(crate) fn await_point(&self, route: &RouteName) -> Option<AwaitPoint> {
        let reading = self.known().filter(|reading| !reading.stack.is_empty())?;
        let line = reading.place.as_ref().map(|place| {
            let mut line = line(place);
            if line.function == HANDLER {
                line.function = format!("{HANDLER} of {route}");
            }
            line
        });
        Some(AwaitPoint::new(
            line,
            reading.within.clone(),
            reading.stack.clone(),
        ))
    }

    /// When it was taken, nanoseconds of the system's monotonic clock.
    pub(crate) fn at(&self) -> u64 {
        self.0.at
    }

    /// Looks up the names of the stack's functions, which may take half a second.
    pub(crate) fn look_up(&self) {
        self.0.reading();
    }

    /// Whether the names are known.
    pub(crate) fn is_known(&self) -> bool {
        self.known().is_some()
    }

    /// Whether looking up the names is quick.
    pub(crate) fn is_quick(&self) -> bool {
        self.0.is_quick()
    }

    fn known(&self) -> Option<&Reading> {
        self.0.known_reading()
    }

    /// The line of code that the stack shows, for the hold in which it was taken; `None` while its names are
    /// not known.
    pub(crate) fn line(&self, hold: &Hold) -> Option<Line> {
        let place = self.known()?.place.as_ref()?;
        let mut line = line(place);
        // If all culprits are of one route, the handler is that route's.
        let route = |culprit: &Culprit| format!("{} {}", culprit.method, culprit.route);
        let mut routes: Vec<_> = hold.culprits.iter().map(route).collect();
        routes.dedup();
        if let ([route], true) = (routes.as_slice(), line.function == HANDLER) {
            line.function = format!("{HANDLER} of {route}");
        }
        Some(line)
    }

    /// The stack's functions, the innermost first; empty while their names are not known.
    pub(crate) fn functions(&self) -> Vec<String> {
        self.known()
            .map(|reading| reading.stack.clone())
            .unwrap_or_default()
    }

    /// Where the stack is in `function`, as part of a sentence, if that is after the given line.
    pub(crate) fn further_on(&self, function: &str, file: &str, line: u32) -> Option<String> {
        self.known()?.further_on(function, file, line)
    }
}

fn line(place: &Place) -> Line {
    let mut line = Line::new(place.function.clone());
    line.file.clone_from(&place.file);
    line.line = place.line;
    line.called.clone_from(&place.called);
    line.library = place.library;
    line
}
