//! Decides which frames are in the app's own code.

use super::frame::Frame;
use super::function::{crate_of, path};

/// How frames of the app's own code are recognized.
#[derive(Debug)]
pub(super) struct Apps<'a> {
    /// For stacks without file names: the crate of the outermost function that belongs to no known library,
    /// because the app calls libraries and not the other way round.
    by_name: Option<&'a str>,
}

impl<'a> Apps<'a> {
    pub(super) fn of(frames: &'a [Frame]) -> Self {
        let candidate = |frame: &'a Frame| {
            let name = frame.name.as_deref().filter(|_| frame.may_be_the_apps())?;
            name.contains("::").then(|| crate_of(path(name)))
        };
        let by_name = frames.iter().rev().find_map(candidate);
        Self { by_name }
    }

    pub(super) fn has(&self, frame: &Frame) -> bool {
        let Some(name) = frame.name.as_deref().filter(|_| frame.may_be_the_apps()) else {
            return false;
        };
        // A Rust function's name includes its crate, unless the tables describe only its inlined copy.
        frame.file.is_some()
            || self
                .by_name
                .is_some_and(|apps| crate_of(path(name)) == apps)
    }
}
