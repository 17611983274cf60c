//! Fails a test in which other requests held up those of a route.

use std::fmt::Write as _;
use std::time::Duration;

use holdup_detect::MostHeldUp;
use holdup_model::{HumanDuration, RouteName};

use crate::watch::Watch;

/// Asserts that no request of a route, written as its method and pattern, was held up for longer than `at_most`.
///
/// A request is held up while it is ready to run, or its worker is in a hold, and its worker runs something else
/// ([`Spent::held_up`](crate::Spent::held_up)). So a test can send a slow request and a quick one at the same time,
/// and show that the quick one does not suffer. Unlike [`Watch::assert_no_holds`], this also adds up many short
/// delays, and says nothing about slow requests that keep nobody waiting.
///
/// Requests that are over count, and those that are open with what they have lost so far. The longest time that the
/// machine may have kept the worker from running is taken off first, so that a busy machine fails no test. Only delays
/// of 10 ms or more are known for this. Shorter ones add up over the polls of a request, so for one that is polled
/// often, set `at_most` well above what they may come to.
///
/// ```
/// use std::time::Duration;
///
/// use actix_web::test::{TestRequest, call_service, init_service};
/// use actix_web::{App, rt::time, web};
/// use futures_util::join;
/// use holdup_watch::{Watch, testing::assert_not_held_up};
///
/// async fn report() -> &'static str {
///     // With `std::thread::sleep`, the other request would be held up for 150 ms by GET /report.
///     time::sleep(Duration::from_millis(150)).await;
///     "done"
/// }
///
/// async fn healthz() -> &'static str {
///     time::sleep(Duration::from_millis(1)).await;
///     "ok"
/// }
///
/// #[actix_web::main] // in a test: #[actix_web::test]
/// async fn main() {
///     let watch = Watch::new();
///     let app = App::new()
///         .route("/report", web::get().to(report))
///         .route("/healthz", web::get().to(healthz))
///         .wrap(watch.clone());
///     let app = init_service(app).await;
///     let request = |path| TestRequest::with_uri(path).to_request();
///     join!(
///         call_service(&app, request("/healthz")),
///         call_service(&app, request("/report")),
///     );
///     assert_not_held_up(&watch, "GET /healthz", Duration::from_millis(50));
/// }
/// ```
///
/// # Panics
///
/// If a request of the route was held up for longer. The message says for how long, by whom, and what to do.
///
/// Also if `route` is not a method and a pattern with a space between, and if the watch has seen no request of that
/// route, because then there is nothing to assert.
#[track_caller]
pub fn assert_not_held_up(watch: &Watch, route: &str, at_most: Duration) {
    let name = name(route);
    assert!(
        watch.detector().has_seen(&name),
        "assert_not_held_up: the watch has seen no request of {name}, so it cannot show that none was held up. Wrap \
         the app in the watch (App::new().wrap(watch.clone())), write the route as it is in the app, such as \
         \"GET /users/{{id}}\", and send a request before this."
    );
    let most = watch.detector().most_held_up(&name, at_most);
    if let Some(most) = most.filter(|most| most.certain > at_most) {
        panic!("{}", message(watch, &name, &most, at_most));
    }
}

/// The route's method and pattern.
#[track_caller]
fn name(route: &str) -> RouteName {
    match route.split_once(' ') {
        Some((method, pattern))
            if !method.is_empty() && !pattern.is_empty() && !pattern.contains(' ') =>
        {
            RouteName::new(method, pattern)
        }
        _ => panic!(
            "assert_not_held_up: the route is {route:?}; allowed: a method and a pattern, such as \
             \"GET /users/{{id}}\""
        ),
    }
}

/// The failure message: how long, by whom, what else the route lost, and the remedy.
fn message(watch: &Watch, route: &RouteName, most: &MostHeldUp, at_most: Duration) -> String {
    let mut message = format!("assert_not_held_up: a request of {route} ");
    match &most.by {
        Some(by) => write!(message, "was {by}").ok(),
        None => write!(
            message,
            "that is still open was held up for {}",
            HumanDuration(most.held_up)
        )
        .ok(),
    };
    writeln!(message, "; at most {} is allowed", HumanDuration(at_most)).ok();
    let machine = most.held_up.saturating_sub(most.certain);
    if !machine.is_zero() {
        let machine = HumanDuration(machine);
        writeln!(
            message,
            "  The machine may have run something else for {machine} of that."
        )
        .ok();
    }
    let victims = watch.victims().into_iter();
    let mut outside = false;
    for victim in victims.filter(|victim| victim.route == *route) {
        outside |= victim.by.is_none();
        writeln!(message, "  {victim}").ok();
    }
    if outside {
        message.push_str(
            "  What is outside the watched requests is a spawned task, an actor, or the test itself.\n",
        );
    }
    message.push_str(
        "While a worker runs one request, it runs no other. In the route that held it up, await an async equivalent \
         of what takes so long, or move it off the worker with actix_web::web::block. Watch::assert_no_holds names \
         the holds, and with the feature `stacks` the lines.",
    );
    message
}
