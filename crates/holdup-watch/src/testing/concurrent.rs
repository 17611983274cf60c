//! The assertion that requests run at the same time, and its message.

use std::fmt::{Display, Write as _};
use std::panic::Location;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};

use holdup_render::Style;
use holdup_verdict::{Kind, Reason};

use super::measured::{Measured, measure};

/// The picture in a message: a panic is read in terminals and logs of at least so many columns.
const PICTURE: Style = Style::plain(80);

/// What requests wait for without blocking, by words in the name of the function they wait in, and the remedy.
const REMEDIES: [(&[&str], &str); 4] = [
    (
        &["Mutex", "RwLock"],
        "If they waited for a lock: drop its guard before the next .await.",
    ),
    (
        &["Semaphore", "Pool", "pool"],
        "If they waited for a pool or a semaphore: make it larger, or give back sooner what was taken from it.",
    ),
    (
        &["web::block", "spawn_blocking"],
        "If they waited for the thread pool (web::block): use an async equivalent, or allow more threads.",
    ),
    (
        &["JoinHandle"],
        "If they waited for a task that they spawned: it may block the thread, which Watch::assert_no_holds shows.",
    ),
];

/// The remedies that fit what the requests waited for; none if that is something else. If they only contended for
/// cores, no place in the code is at fault.
fn remedies(measured: &Measured) -> Vec<&'static str> {
    if measured.verdict.reason == Some(Reason::Shared) {
        return Vec::new();
    }
    let waits = measured.waited.as_ref().map(|waited| &waited.waits);
    let point = waits.and_then(|waits| waits.first()?.point.as_ref());
    let within = point.and_then(|point| point.within.as_deref());
    let within = within.unwrap_or_default();
    let fits = |words: &[&str]| words.iter().any(|word| within.contains(word));
    let fitting = REMEDIES.iter().filter(|(words, _)| fits(words));
    fitting.map(|(_, remedy)| *remedy).collect()
}

/// Asserts that `app` runs `n` requests at the same time.
///
/// `request` makes them, as for [`measure`], which documents how many. Choose a route that takes some 50 ms or more,
/// and an `n` of four or more.
///
/// # Panics
///
/// The future panics if the verdict is anything but [`Kind::Concurrent`], including
/// [`Kind::Inconclusive`]. The message names the calling line, says where requests waited for others (with the
/// feature `stacks`), shows the requests as lanes, and names the remedy.
#[track_caller]
pub fn assert_concurrent<S, R, B>(
    app: &S,
    request: impl Fn(usize) -> R,
    n: usize,
) -> impl Future<Output = ()>
where
    S: Service<R, Response = ServiceResponse<B>>,
    S::Error: Display,
    B: MessageBody,
{
    // An `async fn` does not know who called it.
    let caller = Location::caller();
    async move {
        let measured = measure(app, request, n).await;
        let concurrent = measured.verdict.kind == Kind::Concurrent;
        assert!(concurrent, "{}", message(&measured, caller));
    }
}

/// The failure message: expected, actual, where the requests waited, the picture, the reason and the remedy.
fn message(measured: &Measured, caller: &Location<'_>) -> String {
    let verdict = &measured.verdict;
    let mut message = format!(
        "requests do not run at the same time, at {caller}\n\
         expected: concurrent, {n} at a time\n  \
           actual: {kind}{at_a_time}\n\n\
         {sentence}\n\n{waited}{picture}\n",
        n = verdict.lanes,
        kind = verdict.kind,
        at_a_time = match verdict.at_a_time {
            Some(at_a_time) => format!(", {at_a_time} at a time"),
            None => String::new(),
        },
        sentence = verdict.sentence,
        waited = match &measured.waited {
            Some(waited) => format!("{waited}\n\n"),
            None => String::new(),
        },
        picture = holdup_render::text(&measured.at_once, &PICTURE),
    );
    let remedies = remedies(measured);
    // What the verdict advises is for those who do not know what the requests waited for.
    let is_known = !remedies.is_empty() && verdict.kind != Kind::Inconclusive;
    let advice = verdict.advice.iter().filter(|_| !is_known);
    let remedies = remedies.into_iter().chain(advice.map(String::as_str));
    let evidence = verdict.evidence.iter().map(String::as_str);
    for line in evidence.chain(remedies) {
        let _ = writeln!(message, "- {line}");
    }
    message
}
