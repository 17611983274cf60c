//! Decides which frames are in the app's own code.

use super::frame::Frame;
use super::function::{crate_of, path};

/// How frames of the app's own code are recognized.
#[derive(Debug)]
pub(super) struct Apps<'a> {
    /// For stacks without file names: the crate of the outermost function that belongs to no known library,
    /// because the app calls libraries and not the other way round.
    by_name: Option<&'a str>,
    /// The crates of the app's functions, as far as line tables show them.
    crates: Vec<&'a str>,
}

impl<'a> Apps<'a> {
    pub(super) fn of(frames: &'a [Frame]) -> Self {
        let candidate = |frame: &'a Frame| {
            let name = frame.name.as_deref().filter(|_| frame.may_be_the_apps())?;
            name.contains("::").then(|| crate_of(path(name)))
        };
        let by_name = frames.iter().rev().find_map(candidate);
        // A method of a trait may be in the app's file, but have the name of another crate's type.
        let by_file = |frame: &'a Frame| {
            let name = frame
                .name
                .as_deref()
                .filter(|name| !name.starts_with(['<', '{']))?;
            let is_the_apps = frame.file.is_some() && frame.may_be_the_apps();
            (is_the_apps && name.contains("::")).then(|| crate_of(name))
        };
        let crates = frames.iter().filter_map(by_file).collect();
        Self { by_name, crates }
    }

    /// Whether it is part of a function of the app's, from a macro of a library: in `select!`, what polls the
    /// branches has a line in the library's file.
    pub(super) fn have_expanded(&self, frame: &Frame) -> bool {
        let krate = frame.name.as_deref().map(crate_of);
        !self.has(frame) && krate.is_some_and(|krate| self.crates.contains(&krate))
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
