//! The lab's handlers in the actix test harness, measured with `holdup_watch::testing`.

use std::time::Duration;

use holdup_testkit::harness::{get, panic_of};
use holdup_verdict::{Delivery, delivery};
use holdup_watch::testing::{assert_concurrent, race};

use crate::lab::lab;

#[actix_web::test]
async fn the_three_cures_run_at_the_same_time() {
    let lab = lab().await;
    for cure in ["coroutine", "callback", "threadpool"] {
        assert_concurrent(&lab, get(&format!("/{cure}?from=2&period=100ms")), 4).await;
    }
}

#[actix_web::test]
async fn a_blocking_body_fails_with_a_picture_and_the_cures() {
    let lab = lab().await;
    let line = line!() + 1;
    let asserted = assert_concurrent(&lab, get("/blocking?from=2&period=75ms"), 4);
    let message = panic_of(asserted).await;

    let here = format!("at {}:{line}:", file!());
    for text in [
        here.as_str(),
        "expected: concurrent, 4 at a time",
        "actual: serialized, 1 at a time",
        "Serialized: the 4 requests ran one at a time, one finish every 1",
        "k = 4 × alone ÷ at once = ",
        "three cures: (1) an equivalent",
        "(2) a callback-based equivalent",
        "(3) the blocking call itself on a thread pool",
    ] {
        assert!(message.contains(text), "{text}\n---\n{message}");
    }
    let lanes: Vec<_> = message
        .lines()
        .filter(|line| line.contains("&period=75ms&x="))
        .collect();
    assert_eq!(lanes.len(), 4, "{message}");
    assert!(
        lanes.is_sorted_by_key(|lane| lane.find('|'))
            && lanes.iter().all(|lane| lane.contains('█')),
        "a staircase:\n{message}"
    );
}

#[actix_web::test]
async fn every_chunk_of_a_body_is_a_mark() {
    let lab = lab().await;
    let timeline = race(&lab, (0..3).map(get("/coroutine?from=2&period=60ms"))).await;
    assert_eq!(timeline.lanes.len(), 3);
    for (x, lane) in timeline.lanes.iter().enumerate() {
        let label = format!("/coroutine?from=2&period=60ms&x={x}");
        assert_eq!((lane.label(), lane.status()), (label.as_str(), Some(200)));
        assert_eq!(lane.chunk_count(), 3, "{lane:?}");
        assert!(lane.bytes() > 100 && lane.failure().is_none(), "{lane:?}");
        let ticks: Vec<_> = lane.chunks().iter().map(|chunk| chunk.at).collect();
        assert!(ticks[1] >= Duration::from_millis(55), "{lane:?}");
        assert!(ticks[2] >= Duration::from_millis(115), "{lane:?}");
        assert!(
            matches!(delivery(lane), Delivery::Streamed { .. }),
            "{lane:?}"
        );
    }
}
