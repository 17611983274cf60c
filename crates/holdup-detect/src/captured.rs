//! Stacks on their way from a watched request to whoever traces the future around it, on the same thread.

use std::cell::RefCell;

use crate::stack::StackSample;

thread_local! {
    /// The stacks of the requests that were polled in the trace in progress; `None` while nobody traces.
    static CAPTURED: RefCell<Option<Vec<StackSample>>> = const { RefCell::new(None) };
}

/// Runs `traced`, and returns what it returns with the stacks that were offered meanwhile.
pub(crate) fn during<R>(traced: impl FnOnce() -> R) -> (R, Vec<StackSample>) {
    /// Ends the trace, also during a panic, and continues the one around it.
    struct Ends(Option<Vec<StackSample>>);

    impl Drop for Ends {
        fn drop(&mut self) {
            CAPTURED.set(self.0.take());
        }
    }

    let _ends = Ends(CAPTURED.replace(Some(Vec::new())));
    let result = traced();
    (result, CAPTURED.take().unwrap_or_default())
}

/// Hands the stacks to the trace in progress. Returns them if there is none.
pub(crate) fn offer(stacks: Vec<StackSample>) -> Option<Vec<StackSample>> {
    CAPTURED.with_borrow_mut(|captured| match captured {
        Some(captured) => {
            captured.extend(stacks);
            None
        }
        None => Some(stacks),
    })
}
