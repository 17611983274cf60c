//! Stacks of a worker's thread, with the feature `stacks`: taken by the collector, looked up by a thread of
//! its own, read by anybody who finds them looked up.

use holdup_model::{Culprit, Hold, Line};
use holdup_stack::{HANDLER, Reading, Stack, TakeError};

/// A stack that was taken.
#[derive(Debug)]
pub(crate) struct StackSample(Stack);

/// Why none was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// The thread did not answer in time, or is gone.
    Silent,
    /// The program has a handler of its own for the signal by now.
    SignalTaken,
}

/// Gets ready to take stacks, once for the process; the first call returns whether it worked, or why not.
pub(crate) fn start() -> Option<Result<(), &'static str>> {
    holdup_stack::start()
}

/// Makes the calling thread one whose stack can be taken.
pub(crate) fn prepare_thread() {
    holdup_stack::prepare_thread();
}

/// Whether stacks can be taken now.
pub(crate) fn is_on() -> bool {
    holdup_stack::is_on()
}

/// Why none are taken, if that is so.
pub(crate) fn why_off() -> Option<&'static str> {
    holdup_stack::off()
}

/// Takes the stack of a thread, which is interrupted for it; waits for it up to 50 ms.
pub(crate) fn take(thread: Option<u32>) -> Result<StackSample, Missed> {
    match thread.map(holdup_stack::take) {
        Some(Ok(stack)) => Ok(StackSample(stack)),
        Some(Err(TakeError::SignalTaken)) => Err(Missed::SignalTaken),
        _ => Err(Missed::Silent),
    }
}

/// Lets go of the line tables, if they were not needed for a while before `now`.
pub(crate) fn rest(now: u64) {
    holdup_stack::rest(now);
}

impl StackSample {
    /// When it was taken, nanoseconds of the system's monotonic clock.
    pub(crate) fn at(&self) -> u64 {
        self.0.at
    }

    /// Looks up its names, which may take half a second.
    pub(crate) fn look_up(&self) {
        self.0.reading();
    }

    /// Whether its names are known.
    pub(crate) fn is_known(&self) -> bool {
        self.known().is_some()
    }

    /// Whether to look up its names takes no longer than a moment.
    pub(crate) fn is_quick(&self) -> bool {
        self.0.is_quick()
    }

    fn known(&self) -> Option<&Reading> {
        self.0.known_reading()
    }

    /// The line that it shows, of a hold in which it was taken; `None` while its names are not known.
    pub(crate) fn line(&self, hold: &Hold) -> Option<Line> {
        let place = self.known()?.place.as_ref()?;
        let mut function = place.function.clone();
        // Of all that held the worker there is one route: then it is that one's.
        let route = |culprit: &Culprit| format!("{} {}", culprit.method, culprit.route);
        let mut routes: Vec<_> = hold.culprits.iter().map(route).collect();
        routes.dedup();
        if let ([route], true) = (routes.as_slice(), function == HANDLER) {
            function = format!("{HANDLER} of {route}");
        }
        let mut line = Line::new(function);
        line.file.clone_from(&place.file);
        line.line = place.line;
        line.called.clone_from(&place.called);
        line.library = place.library;
        Some(line)
    }

    /// Its functions, the innermost first; none while they are not known.
    pub(crate) fn functions(&self) -> Vec<String> {
        self.known()
            .map(|reading| reading.stack.clone())
            .unwrap_or_default()
    }

    /// Where it is in a function, in the words of a sentence, when it is further on there than that line.
    pub(crate) fn further_on(&self, function: &str, file: &str, line: u32) -> Option<String> {
        self.known()?.further_on(function, file, line)
    }
}
