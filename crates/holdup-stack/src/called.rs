//! What a line calls: of the functions inside of it, the outermost that tells something. This module handles text
//! only.

use super::apps::Apps;
use super::frame::Frame;
use super::function::{crate_of, modules_of};
use super::known::{CALLERS, COMBINATORS, PASSED_ON, PRIMITIVE, TASK, TIMEOUTS, TIMERS, WAKERS};
use super::naming::of_the_future;
use super::public::public;

/// What a function is for whoever looks for the one that is waited for.
enum Kind {
    /// It tells nothing: a closure, or a function of the standard library that only passes a call on.
    Nothing,
    /// It passes a poll on to what is inside of it.
    Combinator(String),
    /// It keeps wakers, or wakes. What a combinator has inside of it ends there.
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
            Kind::Combinator(function) => combinator = Some(function),
            Kind::Waker if combinator.is_some() => break,
            Kind::Nothing | Kind::Waker => {}
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
    let function = if frame.is_named() {
        frame.function()
    } else {
        match future(frames, index) {
            // Of the caller's own crate it would tell little.
            Some(function) if Some(crate_of(&function)) != krate => function,
            _ => return Kind::Nothing,
        }
    };
    // A method of a primitive type has no crate: `u64::rotate_left`.
    if PRIMITIVE.contains(&crate_of(&function)) {
        return Kind::Nothing;
    }
    if is_of_a_waker(&function) {
        return Kind::Waker;
    }
    let is_passed_on = PASSED_ON.iter().any(|start| function.starts_with(start));
    if is_passed_on || module_of(&function, CALLERS).is_some() {
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

#[cfg(test)]
mod tests {
    use super::*;

    const CARGO: &str = "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
    const APP: &str = "/home/me/shop/src/cart.rs";

    /// A frame, from `name` or from `name @ file`.
    fn frame(text: &str) -> Frame {
        let (name, file) = text.split_once(" @ ").unwrap_or((text, ""));
        let file = match file {
            "" => None,
            "app" => Some(APP.to_owned()),
            file => Some(format!("{CARGO}/{file}")),
        };
        Frame {
            name: Some(name.to_owned()),
            file,
            line: Some(7),
            in_source: None,
        }
    }

    fn called_in(inside: &[&str]) -> String {
        let mut frames: Vec<_> = inside.iter().map(|text| frame(text)).collect();
        frames.push(frame("shop::cart::show::{{closure}}::{{closure}} @ app"));
        let apps = Apps::of(&frames);
        let (_, inside) = frames.split_last().expect("the app's");
        called(inside, &apps, Some("shop")).unwrap_or_default()
    }

    const LOCK: &str = "tokio::sync::mutex::Mutex<T>::lock::{{closure}}";
    const SLEEP: &str = "<tokio::time::sleep::Sleep as core::future::future::Future>::poll";
    const TIMEOUT: &str =
        "<tokio::time::timeout::Timeout<T> as core::future::future::Future>::poll";
    const PIN: &str = "<core::pin::Pin<P> as core::future::future::Future>::poll";
    const NEXT: &str =
        "<futures_util::stream::stream::next::Next<St> as core::future::future::Future>::poll";

    #[test]
    fn what_a_line_waits_in_is_the_outermost_that_is_no_combinator() {
        let acquire =
            "<tokio::sync::batch_semaphore::Acquire as core::future::future::Future>::poll";
        assert_eq!(called_in(&[acquire, LOCK]), "tokio::sync::Mutex::lock");
        assert_eq!(
            called_in(&[acquire, LOCK, TIMEOUT]),
            "tokio::sync::Mutex::lock"
        );
        assert_eq!(called_in(&[SLEEP, PIN]), "tokio::time::sleep");
        let map =
            "<futures_util::future::future::Map<Fut,F> as core::future::future::Future>::poll";
        let instrumented =
            "<tracing::instrument::Instrumented<T> as core::future::future::Future>::poll";
        assert_eq!(
            called_in(&[SLEEP, map, instrumented, PIN]),
            "tokio::time::sleep"
        );
        // A library's own time-out and combinators are not the app's.
        let pool = "deadpool::managed::pool::Pool<M,W>::get::{{closure}}";
        assert_eq!(
            called_in(&[LOCK, TIMEOUT, map, pool]),
            "deadpool::managed::Pool::get"
        );
        assert_eq!(called_in(&[]), "");
        assert_eq!(called_in(&["u64::rotate_left", PIN]), "");
    }

    #[test]
    fn a_timeouts_own_timer_is_the_timeout() {
        let own = [
            "tokio::time::timeout::poll_delay::{{closure}}",
            "tokio::time::timeout::poll_delay",
        ];
        assert_eq!(
            called_in(&[SLEEP, own[0], own[1], TIMEOUT]),
            "tokio::time::timeout"
        );
        // Optimized, with line tables only.
        let inlined = "poll<tokio::sync::mutex::{impl#10}::lock::{async_fn_env#0}<()>> @ tokio-1.54.1/src/time/timeout.rs";
        assert_eq!(called_in(&[SLEEP, inlined]), "tokio::time::timeout");
        assert_eq!(called_in(&[LOCK, inlined]), "tokio::sync::Mutex::lock");
    }

    #[test]
    fn a_combinator_without_anything_inside_is_what_it_is() {
        let waker = "futures_core::task::__internal::atomic_waker::AtomicWaker::register";
        let unordered = "<futures_util::stream::futures_unordered::FuturesUnordered<Fut> as futures_core::stream::Stream>::poll_next";
        let frames = [waker, unordered, NEXT];
        assert_eq!(called_in(&frames), "futures_util::stream::FuturesUnordered");
        // The waker is no part of the stack.
        let frames = [
            "core::task::wake::Waker::clone",
            "__rust_try",
            waker,
            unordered,
            "core::cell::f",
        ];
        assert_eq!(of_the_waker(&frames.map(frame)), 3);
        assert_eq!(
            of_the_waker(&["core::num::f", unordered, waker].map(frame)),
            0
        );
        assert_eq!(of_the_waker(&[]), 0);
    }

    #[test]
    fn what_a_macro_expands_to_is_the_apps_own() {
        let branches =
            "shop::cart::show::{{closure}}::{{closure}} @ tokio-1.54.1/src/macros/select.rs";
        let poll_fn = "<core::future::poll_fn::PollFn<F> as core::future::future::Future>::poll";
        assert_eq!(called_in(&[SLEEP, branches, poll_fn]), "tokio::time::sleep");
        // With line tables only.
        let branches = "{closure#1} @ tokio-1.54.1/src/macros/select.rs";
        assert_eq!(called_in(&[SLEEP, branches, poll_fn]), "tokio::time::sleep");
    }

    #[test]
    fn an_inlined_future_is_named_by_what_it_is_given_or_by_its_module() {
        let recv = [
            "recv<u8, tokio::sync::mpsc::bounded::Semaphore> @ tokio-1.54.1/src/sync/mpsc/chan.rs",
            "{closure#0}<u8> @ tokio-1.54.1/src/sync/mpsc/bounded.rs",
            "poll<u8, tokio::sync::mpsc::bounded::{impl#0}::recv::{async_fn#0}::{closure_env#0}<u8>>",
            "{async_fn#0}<u8> @ tokio-1.54.1/src/sync/mpsc/bounded.rs",
        ];
        assert_eq!(called_in(&recv), "tokio::sync::mpsc::recv");
        let lock = "{async_fn#0}<()> @ tokio-1.54.1/src/sync/mutex.rs";
        let done = "poll<tokio::sync::mutex::{impl#10}::lock::{async_fn_env#0}<()>> @ tokio-1.54.1/src/future/maybe_done.rs";
        assert_eq!(called_in(&[lock, done]), "tokio::sync::Mutex::lock");
        // Nothing tells which of its functions it is.
        let read = "{async_fn#0}<()> @ tokio-1.54.1/src/sync/rwlock.rs";
        assert_eq!(
            called_in(&[
                "{async_block#0}<()> @ tokio-1.54.1/src/sync/rwlock.rs",
                read
            ]),
            "tokio::sync::RwLock"
        );
        let poll = "poll<u8> @ tokio-1.54.1/src/sync/broadcast.rs";
        let receive = "{async_fn#0}<u8> @ tokio-1.54.1/src/sync/broadcast.rs";
        assert_eq!(called_in(&[poll, receive]), "tokio::sync::broadcast");
    }
}
