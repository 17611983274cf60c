//! How many requests that were held up are told of.

use std::num::NonZeroU32;

use tracing::{Span, info_span};

use super::*;
use crate::losses::Loss;
use crate::lost::{Counts, Lost};
use crate::recent::Recent;
use crate::record::HoldId;
use crate::spans::SpanNote;

/// A span of a subscriber of its own.
fn span() -> Span {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::sink)
        .finish();
    let span = tracing::subscriber::with_default(subscriber, || info_span!("request"));
    assert!(!span.is_disabled());
    span
}

/// Requests that were held up for 200 ms each, all in this span, that end at the same time.
fn end(scene: &Scene, requests: usize, span: Option<&Span>) {
    let state = WorkerState::new(0, &scene.shared.clock);
    for _ in 0..requests {
        let mut lost = Lost::default();
        let time = (1_000 * MS, 1_200 * MS);
        lost.add(time, &[], &Recent::default(), Counts::All);
        let ended = Loss::new(Arc::clone(&state), NonZeroU32::MIN, lost);
        scene.shared.losses.add(Arc::new(ended), span.cloned());
    }
}

#[test]
fn of_thousands_that_were_held_up_the_log_tells_of_a_few_and_counts_the_others() {
    let span = span();
    for (requests, span, told) in [(3, None, 0), (3, Some(&span), 3), (2000, Some(&span), 256)] {
        let mut scene = Scene::new(|_| ());
        end(&scene, requests, span);
        scene.look();
        // The spans of the others are dropped by the thread that writes the log, and a second later they are counted.
        let are_left_out = usize::from(requests > 256);
        assert_eq!(scene.log_entries(), told + are_left_out);
        scene.pass(1000);
        assert_eq!(scene.log_entries(), are_left_out);
        let victims = scene.shared.losses.victims();
        assert_eq!(victims[0].requests, requests as u64);
    }
}

#[test]
fn the_span_of_a_hold_that_is_never_published_is_kept_for_ten_seconds() {
    let mut scene = Scene::new(|_| ());
    scene.look();
    let started = Duration::from_millis(5);
    let id = HoldId { worker: 0, started };
    scene.shared.spans.add(SpanNote::Held {
        id,
        culprit: 0,
        span: span(),
    });
    let mut dropped = Vec::new();
    for _ in 0..14 {
        scene.pass(1000);
        dropped.push(scene.log_entries());
    }
    // The thread that writes the log drops it.
    assert_eq!(dropped.iter().sum::<usize>(), 1, "{dropped:?}");
    let when = dropped.iter().position(|&count| count == 1);
    assert!(
        when.is_some_and(|second| (10..13).contains(&second)),
        "{dropped:?}"
    );
}
