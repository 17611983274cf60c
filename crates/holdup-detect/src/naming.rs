//! Has the names looked up at which open requests wait.

use std::sync::Arc;

use crate::shared::Shared;
use crate::stack::StackSample;

/// The stacks that were sent to the thread that looks up names.
#[derive(Debug, Default)]
pub(crate) struct Naming(Vec<Arc<StackSample>>);

impl Naming {
    /// Whether names are missing and will be known soon. Tells the thread that looks them up what it has not been
    /// told yet.
    pub(crate) fn are_missing(&mut self, shared: &Shared) -> bool {
        let unnamed = shared.unnamed();
        for stack in &unnamed {
            if self.0.iter().any(|sent| Arc::ptr_eq(sent, stack)) {
                continue;
            }
            if !shared.send_to_be_named(stack) {
                return false;
            }
            self.0.push(Arc::clone(stack));
        }
        !unnamed.is_empty()
    }

    /// Whether names were missing at first.
    pub(crate) fn were_missing(&self) -> bool {
        !self.0.is_empty()
    }
}
