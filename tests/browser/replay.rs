//! The page of a record.

use std::thread;
use std::time::Duration;

use holdup_testkit::browser::{Browser, Key, Kind};
use holdup_testkit::client::get;
use holdup_testkit::pause;
use rustix::process::Signal;
use serde_json::Value;

use crate::recorded::{self, Replay};
use crate::server::Server;

/// Requests a countdown, and reads as much of it as comes before the lab is killed.
fn countdown(server: &Server, path: &str) -> thread::JoinHandle<()> {
    let mut reply = get(server.address, path);
    reply.tick().expect("it has begun");
    thread::spawn(move || while matches!(reply.chunk(), Ok(Some(_))) {})
}

/// The record of a lab that was killed in its second hold. The first one held up requests of another route.
fn killed_lab(folder: &std::path::Path) {
    let mut server = Server::start(&["--record", recorded::text(folder)]);
    let mut others: Vec<_> = (0..2)
        .map(|n| countdown(&server, &format!("/coroutine?from={}&x={n}", 40 + n)))
        .collect();
    recorded::wait_for_line(folder, "where they wait", |line| {
        line["waits"][0]["point"]["line"] != Value::Null
    });
    // The first hold is more than a second after the beginning, so that there is a way from here to there.
    pause(Duration::from_millis(1500));
    // It is over soon after the hold, so that the record says what it lost.
    others.push(countdown(&server, "/coroutine?from=2&x=soon"));
    countdown(&server, "/blocking?from=3&x=b").join().ok();
    pause(Duration::from_millis(1500));
    let last = countdown(&server, "/blocking?from=30&x=last");
    pause(Duration::from_millis(2500));
    server.signal(Signal::KILL);
    server.ended();
    for reader in others.into_iter().chain([last]) {
        reader.join().ok();
    }
}

/// Goes to the beginning, then to the first hold, before which requests waited, and from there to the end while it plays.
async fn what_is_chosen_while_it_plays_counts(browser: &Browser) {
    let slider = "Number(document.querySelector('#replay-slider').value)";
    browser
        .eval("void document.querySelector('#replay-slider').focus()")
        .await;
    browser.press(Key::Home).await;
    let is_at =
        |end: &str| format!("{slider} === Number(document.querySelector('#replay-slider').{end})");
    browser.wait_until(&is_at("min")).await;
    browser
        .wait_until("!document.querySelector('#workers [data-held=true]')")
        .await;
    let says =
        |text: &str| format!("document.querySelector('#replay-play').textContent === '{text}'");
    let speed = |speed: f64| {
        let headers = "{ 'Content-Type': 'application/json' }";
        let body = format!("'{{\"speed\":{speed}}}'");
        format!("void fetch('/replay', {{ method: 'POST', headers: {headers}, body: {body} }})")
    };
    browser.click("#replay-next").await;
    browser.wait_until(&says("Pause")).await;
    browser.click("#replay-play").await;
    browser.wait_until(&says("Play")).await;
    browser
        .wait_until("document.querySelector('#waits').textContent.includes('handlers.rs')")
        .await;
    browser.click("#replay-play").await;
    browser.wait_until(&says("Pause")).await;
    browser
        .eval("void document.querySelector('#replay-slider').focus()")
        .await;
    // So slowly that it would not play until there within the test's patience.
    browser.eval(&speed(0.01)).await;
    browser
        .wait_until("document.querySelector('#replay-speed').value === ''")
        .await;
    browser.press(Key::End).await;
    browser.wait_until(&is_at("max")).await;
    browser.eval(&speed(1.0)).await;
    browser.wait_for("#workers [data-held=true]").await;
    browser
        .wait_until("document.querySelector('#replay-play').textContent === 'Play'")
        .await;
}

#[tokio::test]
async fn a_record_is_shown_as_it_was() {
    let folder = recorded::folder("page");
    killed_lab(&folder);
    let replay = Replay::start(&folder);
    let browser = Browser::start(Kind::Chromium).await;
    browser.resize(1280, 900).await;
    browser.goto(&format!("http://{}/", replay.address)).await;
    browser.wait_for("#replay").await;
    // It begins two seconds before the longest hold, and plays.
    browser
        .wait_until("document.querySelector('#replay-play').textContent === 'Pause'")
        .await;
    browser.wait_for("#workers [data-held=true]").await;
    let worker = browser.text("#workers").await;
    assert!(worker.contains("by GET /blocking"), "{worker}");
    let at = "document.querySelector('#replay-at').textContent";
    let shown = browser.eval(at).await;
    assert_eq!(shown.as_str().map(str::len), Some(19), "{shown}");
    for hidden in ["#pause", "#cards", "#connection"] {
        assert_eq!(browser.text(hidden).await, "", "{hidden}");
    }

    // The mouse.
    browser.click("#replay-play").await;
    browser
        .wait_until("document.querySelector('#replay-play').textContent === 'Play'")
        .await;
    let slider = "Number(document.querySelector('#replay-slider').value)";
    let paused = browser.eval(slider).await;
    pause(Duration::from_millis(300));
    assert_eq!(browser.eval(slider).await, paused);
    browser.screenshot("replay-light").await;
    browser.prefer(true, false).await;
    browser.screenshot("replay-dark").await;
    browser.resize(360, 740).await;
    browser.screenshot("replay-narrow").await;
    let overflows = "document.documentElement.scrollWidth > innerWidth";
    assert_eq!(browser.eval(overflows).await, false);
    browser.resize(1280, 900).await;
    browser.prefer(false, false).await;

    // The keyboard.
    browser
        .eval("void document.querySelector('#replay-slider').focus()")
        .await;
    browser.press(Key::Left).await;
    let second_before = paused.as_f64().expect("a number") - 1000.0;
    let least = "Number(document.querySelector('#replay-slider').min)";
    browser
        .wait_until(&format!(
            "Math.abs({slider} - Math.max({least}, {second_before})) < 2"
        ))
        .await;
    for _ in 0..20 {
        browser.press(Key::Left).await;
    }
    // Before the first hold, the worker is free, and those that will be held up are open.
    browser
        .wait_until("!document.querySelector('#workers [data-held=true]')")
        .await;

    // To the hold in which the process was killed, which the record has up to about a second before.
    for _ in 0..2 {
        let before = browser.eval(slider).await;
        browser.click("#replay-next").await;
        browser
            .wait_until(&format!("{slider} > {before} + 500"))
            .await;
    }
    browser.wait_for("#workers [data-held=true]").await;
    browser
        .wait_until("document.querySelector('#replay-play').textContent === 'Play'")
        .await;
    browser.wait_for("#workers [data-held=true]").await;
    let lanes = browser.text("#lanes").await;
    assert!(lanes.contains("/blocking"), "{lanes}");
    assert!(
        browser.text("#workers").await.contains("handlers.rs"),
        "its line"
    );
    browser.wait_for("#whom").await;
    let victims = browser.text("#victims").await;
    assert!(victims.contains("/coroutine"), "{victims}");

    what_is_chosen_while_it_plays_counts(&browser).await;
    browser.screenshot("replay-end").await;
    browser.finish().await;
}
