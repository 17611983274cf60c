//! Writes into the spans of requests that they held a worker, or were held up. A span may belong to another subscriber
//! than the one of this thread.
//!
//! The events have a name and no message, because a layer that exports spans takes the message for the event's name.
//! They have no place in the source either: such a layer reports it as `code.file.path` and `code.line.number`, and
//! these are for the line that blocks. The macros of `tracing` always add the place, so the events are made without
//! them.

use holdup_model::{Blame, Hold, HumanDuration, RouteName, Spent};
use tracing::field::{FieldSet, Value, display};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Level, Metadata, Span};
use tracing_core::callsite::DefaultCallsite;
use tracing_core::{Kind, identify_callsite};

/// What the events have instead of the module's path, so that a log can leave them out.
const TARGET: &str = "holdup::span";

/// Who held up a request if it was something outside the watched requests.
const UNATTRIBUTED: &str = "unattributed";

/// Writes an event into a span.
macro_rules! write_event {
    ($name:literal, $span:expr, $($field:literal: $value:expr),+ $(,)?) => {{
        static CALLSITE: DefaultCallsite = DefaultCallsite::new(&METADATA);
        static METADATA: Metadata<'static> = Metadata::new(
            $name,
            TARGET,
            Level::INFO,
            None,
            None,
            None,
            FieldSet::new(&[$($field),+], identify_callsite!(&CALLSITE)),
            Kind::EVENT,
        );
        $span.with_subscriber(|(span, subscriber)| {
            tracing::dispatcher::with_default(subscriber, || {
                if !is_enabled(&CALLSITE, &METADATA, subscriber) {
                    return;
                }
                let field = |name| METADATA.fields().field(name).expect("it is in the list above");
                // One expression, because the values are borrowed only in it.
                Event::child_of(
                    span.clone(),
                    &METADATA,
                    &METADATA.fields().value_set(&[
                        $((&field($field), Some(&$value as &dyn Value))),+
                    ]),
                );
            });
        });
    }};
}

fn is_enabled(
    callsite: &'static DefaultCallsite,
    metadata: &Metadata<'_>,
    subscriber: &Dispatch,
) -> bool {
    let interest = callsite.interest();
    *metadata.level() <= LevelFilter::current()
        && !interest.is_never()
        && (interest.is_always() || subscriber.enabled(metadata))
}

/// Writes that this one of the culprits of a hold has held its worker.
pub(super) fn held(span: &Span, hold: &Hold, culprit: usize) {
    let Some(culprit) = hold.culprits.get(culprit) else {
        return;
    };
    let (worker, others) = (hold.worker, hold.culprits.len() - 1);
    let summary = match others {
        0 => hold.to_string(),
        _ => format!(
            "{culprit} and {others} more together held worker {worker} for {}",
            HumanDuration(hold.duration)
        ),
    };
    // The samples are of the worker's thread, and do not say which request it ran.
    let line = hold.lines.first();
    let line = line.filter(|_| culprit.busy * 2 >= hold.duration);
    let file = line.and_then(|line| line.file.as_deref());
    write_event!(
        "holdup.hold", span,
        "holdup.summary": display(summary),
        "holdup.duration": hold.duration.as_secs_f64(),
        "holdup.kind": hold.kind.name(),
        "holdup.route": format!("{} {}", culprit.method, culprit.route),
        "holdup.part": culprit.part.name(),
        "holdup.polls": whole(culprit.polls),
        "holdup.busy": culprit.busy.as_secs_f64(),
        "holdup.computing": hold.cpu.map(|cpu| cpu.as_secs_f64()),
        "holdup.worker": whole(worker),
        "holdup.open_requests": whole(hold.waiting),
        "code.function.name": line.map(|line| line.function.as_str()),
        "code.file.path": file,
        "code.line.number": line.and_then(|line| line.line).map(i64::from),
    );
}

/// Writes that a request of this route was held up.
pub(super) fn held_up(span: &Span, route: &RouteName, spent: &Spent) {
    let by = |blame: &Blame| {
        let by = blame.by.as_ref();
        by.map_or_else(|| UNATTRIBUTED.to_owned(), ToString::to_string)
    };
    let first = spent.by.first();
    let others = spent.by.iter().skip(1);
    let others = others.map(|blame| format!("{} for {}", by(blame), HumanDuration(blame.held_up)));
    let others: Vec<_> = others.collect();
    let others = (!others.is_empty()).then(|| others.join(", "));
    write_event!(
        "holdup.held_up", span,
        "holdup.summary": display(format_args!("{route} was {spent}")),
        "holdup.duration": spent.held_up.as_secs_f64(),
        "holdup.route": route.to_string(),
        "holdup.by.route": first.map(by),
        "holdup.by.duration": first.map(|blame| blame.held_up).map(|held_up| held_up.as_secs_f64()),
        "holdup.by.others": others,
    );
}

/// Links the span of a request to those of the requests by which it was held up. Only spans of the global subscriber
/// are linked: another subscriber may have other spans with the same numbers.
pub(super) fn link(span: &Span, by: &[Span]) {
    for other in by.iter().filter(|other| are_global(span, other)) {
        span.follows_from(other);
    }
}

/// Whether both spans are of the global subscriber. It is known by its address, which is all that can be seen of it from
/// outside. Of any other subscriber, each span shows an address of its own.
fn are_global(one: &Span, other: &Span) -> bool {
    let subscriber =
        |span: &Span| span.with_subscriber(|(_, subscriber)| format!("{subscriber:?}"));
    let one = subscriber(one);
    one.is_some() && one == subscriber(other)
}

/// A number as the signed one that exporters know. They write others as text.
fn whole(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use tracing::info_span;

    use super::*;

    #[test]
    fn spans_that_may_be_of_two_subscribers_are_not_linked() {
        let subscriber = || {
            let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink);
            Dispatch::new(subscriber.finish())
        };
        let span = |of: &Dispatch| tracing::dispatcher::with_default(of, || info_span!("request"));
        let (one, other) = (subscriber(), subscriber());
        let spans = [span(&one), span(&other)];
        assert!(spans.iter().all(|span| !span.is_disabled()));
        // The numbers do not tell them apart.
        assert_eq!(spans[0].id(), spans[1].id());
        assert!(!are_global(&spans[0], &spans[1]));
        assert!(!are_global(&spans[0], &spans[0].clone()));
        assert!(!are_global(&Span::none(), &Span::none()));
    }
}
