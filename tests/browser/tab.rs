//! The lab in a tab of a real browser.

use std::time::{Duration, Instant};

use holdup_testkit::PATIENCE;
use holdup_testkit::browser::{Browser, Kind};

use crate::server::Server;

#[tokio::test]
async fn a_tab_shows_the_ticks_live_in_chromium() {
    shows_the_ticks_as_they_come(Kind::Chromium).await;
}

#[tokio::test]
async fn a_tab_shows_the_ticks_live_in_firefox() {
    shows_the_ticks_as_they_come(Kind::Firefox).await;
}

async fn shows_the_ticks_as_they_come(kind: Kind) {
    let server = Server::start(&[]);
    let browser = Browser::start(kind).await;
    let url = format!(
        "http://{}/coroutine?from=5&period=500ms&x=tab",
        server.address
    );
    browser.goto_stream(&url).await;

    // Polls the tab's text until the countdown is over, and records each new length.
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while seen.last() != Some(&6) {
        assert!(Instant::now() < deadline, "ticks seen so far: {seen:?}");
        let text = browser.text("body").await;
        let ticks = text.lines().filter(|line| line.contains("#1 \"tab\""));
        let ticks = ticks.count();
        if ticks > 0 && seen.last() != Some(&ticks) {
            seen.push(ticks);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.finish().await;
    assert!(seen.len() >= 3, "the text grew in steps: {seen:?}");
    assert!(seen.is_sorted(), "{seen:?}");
}
