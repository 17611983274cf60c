//! The section "Is it the browser?", in real browsers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use holdup_testkit::PATIENCE;
use holdup_testkit::browser::{Browser, Kind};
use holdup_testkit::client::get;
use holdup_testkit::console::state;

use crate::page::open;
use crate::server::Server;

#[tokio::test]
async fn chromium_holds_back_the_same_url_until_the_head_arrives() {
    let (_server, browser) = experiment(Kind::Chromium).await;
    assert_eq!(outcome(&browser, "same-stream").await, "free");
    browser.finish().await;
}

#[tokio::test]
async fn firefox_holds_back_the_same_url_until_its_end() {
    let (_server, browser) = experiment(Kind::Firefox).await;
    assert_eq!(outcome(&browser, "same-stream").await, "held");
    browser.finish().await;
}

#[tokio::test]
async fn an_experiment_has_its_verdict_while_more_requests_come_than_are_drawn() {
    let (server, browser) = open(Kind::Chromium, &[]).await;
    let (lab, is_over) = (server.address, Arc::new(AtomicBool::new(false)));
    let client = |client: usize| {
        let is_over = Arc::clone(&is_over);
        thread::spawn(move || {
            for n in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let path = format!("/coroutine?from=1&period=1ms&x=other-{client}-{n}");
                get(lab, &path).rest();
            }
        })
    };
    let clients: Vec<_> = (0..4).map(client).collect();
    let deadline = Instant::now() + PATIENCE;
    let undrawn = || state(server.console())["totals"]["undrawn"].clone();
    while undrawn().as_u64() < Some(100) {
        assert!(Instant::now() < deadline, "{}", undrawn());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.wait_for("#hidden:not([hidden])").await;
    browser.click("[data-experiment=unique] button.run").await;
    assert_eq!(outcome(&browser, "unique").await, "free");
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("a client");
    }
    browser.finish().await;
}

#[tokio::test]
async fn the_lab_is_reached_at_an_ipv6_address() {
    let arguments = ["--bind", "[::1]:0", "--console", "[::1]:0"];
    let (_server, browser) = open(Kind::Chromium, &arguments).await;
    browser.click("[data-experiment=unique] button.run").await;
    assert_eq!(outcome(&browser, "unique").await, "free");
    browser.finish().await;
}

/// Runs all experiments, and checks those that have the same result in all browsers.
async fn experiment(kind: Kind) -> (Server, Browser) {
    let (server, browser) = open(kind, &[]).await;
    let name = browser.text("#browser-name").await;
    let expected = match kind {
        Kind::Chromium => "Chromium",
        Kind::Firefox => "Firefox",
    };
    assert!(name.contains(expected), "{name}");
    browser.click("#run-all").await;
    for (experiment, expected) in [
        ("same-whole", "held"),
        ("unique", "free"),
        ("no-store", "free"),
        ("blocking", "serialized"),
    ] {
        assert_eq!(
            outcome(&browser, experiment).await,
            expected,
            "{experiment}"
        );
    }
    browser
        .wait_for("[data-experiment=eight][data-at-once]")
        .await;
    let at_once = "document.querySelector('[data-experiment=eight]').dataset.atOnce";
    assert_eq!(browser.eval(at_once).await, "6");
    browser.resize(1280, 1000).await;
    let scroll = "document.querySelector('#browser').scrollIntoView()";
    browser.execute(scroll, vec![]).await;
    browser
        .screenshot(&format!("console-experiment-{}", expected.to_lowercase()))
        .await;
    (server, browser)
}

async fn outcome(browser: &Browser, name: &str) -> String {
    let card = format!("[data-experiment={name}]");
    browser.wait_for(&format!("{card}[data-outcome]")).await;
    let outcome = format!("document.querySelector('{card}').dataset.outcome");
    browser
        .eval(&outcome)
        .await
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
