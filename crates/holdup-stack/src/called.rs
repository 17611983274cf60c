//! What a line calls: of the functions inside of it, the outermost that tells something. This module handles text
//! only.

use super::apps::Apps;
use super::frame::Frame;
use super::function::{crate_of, modules_of};
use super::known::{COMBINATORS, PASSED_ON, PRIMITIVE, TASK, TIMEOUTS, TIMERS, WAKERS};
use super::naming::of_the_future;
use super::public::public;

/// What a function is for whoever looks for the one that is waited for.
enum Kind {
    /// It tells nothing: a closure, or a function of the standard library that only passes a call on.
    Nothing,
    /// It passes a poll on to what is inside of it.
    Combinator(String),
    /// It keeps wakers: the end of what the app waits for.
    Waker,
    Function(String),
}

/// The function that a line in `krate` calls, whose inner frames these are, the innermost first. A combinator is
/// stepped over if there is something inside of it.
pub(super) fn called(inside: &[Frame], apps: &Apps<'_>, krate: Option<&str>) -> Option<String> {
    let mut combinator: Option<String> = None;
    for index in (0..inside.len()).rev() {
        if apps.have_expanded(&inside[index]) {
            continue;
        }
        match kind(inside, index, krate) {
            Kind::Nothing => {}
            Kind::Combinator(function) => combinator = Some(function),
            Kind::Waker => break,
            Kind::Function(function) => {
                let limits = combinator.and_then(|outer| module_of(&outer, TIMEOUTS));
                return Some(match limits {
                    // Its own timer, and not what it limits in time.
                    Some(timeout) if module_of(&function, TIMERS).is_some() => public(timeout),
                    _ => public(&function),
                });
            }
        }
    }
    combinator.map(|function| public(&function))
}

fn kind(frames: &[Frame], index: usize, krate: Option<&str>) -> Kind {
    let frame = &frames[index];
    let function = match frame.is_named() {
        true => frame.function(),
        false => match future(frames, index) {
            // Of the caller's own crate it would tell little.
            Some(function) if Some(crate_of(&function)) != krate => function,
            _ => return Kind::Nothing,
        },
    };
    // A method of a primitive type has no crate: `u64::rotate_left`.
    if PRIMITIVE.contains(&crate_of(&function)) {
        return Kind::Nothing;
    }
    if is_of_a_waker(&function) {
        return Kind::Waker;
    }
    if PASSED_ON.iter().any(|start| function.starts_with(start)) {
        return Kind::Nothing;
    }
    if module_of(&function, COMBINATORS).is_some() {
        return Kind::Combinator(function);
    }
    Kind::Function(function)
}

/// A library's `async fn` that was inlined: its name, if another frame tells it, else its module.
fn future(frames: &[Frame], index: usize) -> Option<String> {
    let raw = frames[index].name.as_deref()?;
    if !raw.starts_with("{async") {
        return None;
    }
    let modules = modules_of(frames[index].file.as_deref()?)?;
    Some(of_the_future(frames, index, &modules).unwrap_or(modules))
}

/// Which of the modules the function is in.
fn module_of<'a>(function: &str, modules: &[&'a str]) -> Option<&'a str> {
    let is_in = |module: &&str| {
        let inner = function.strip_prefix(module);
        inner.is_some_and(|inner| inner.is_empty() || inner.starts_with("::"))
    };
    modules.iter().copied().find(is_in)
}

fn is_of_a_waker(function: &str) -> bool {
    module_of(function, &[TASK]).is_some()
        || function
            .split("::")
            .any(|segment| WAKERS.contains(&segment))
}

/// How many of the innermost frames only hand the waker over. What is waited for is further out.
pub(super) fn of_the_waker(frames: &[Frame]) -> usize {
    let is_passed_on = |frame: &Frame| {
        let function = frame.function();
        let starts = |start: &&str| function.starts_with(*start);
        !frame.is_named() || !function.contains("::") || PASSED_ON.iter().any(starts)
    };
    let is_of_a_waker = |frame: &Frame| is_of_a_waker(&frame.function());
    let run = frames
        .iter()
        .take_while(|frame| is_of_a_waker(frame) || is_passed_on(frame));
    let outermost = frames[..run.count()].iter().rposition(is_of_a_waker);
    outermost.map_or(0, |index| index + 1)
}
