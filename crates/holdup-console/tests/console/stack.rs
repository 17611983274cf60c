//! The dialog that shows the line on which a worker is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};
use holdup_testkit::app::{Served, serve};
use holdup_testkit::browser::{Browser, Key, Kind};
use holdup_testkit::pause;
use holdup_watch::Watch;

use super::*;

/// Blocks until the test releases it.
fn render(let_go: &AtomicBool) {
    let deadline = Instant::now() + PATIENCE;
    while !let_go.load(Ordering::Relaxed) && Instant::now() < deadline {
        pause(Duration::from_millis(20)); // the call
    }
}

/// An app with this handler, on a route with markup in its name.
fn renders(watch: &Watch, let_go: &Arc<AtomicBool>) -> Served {
    let (watch, let_go) = (watch.clone(), Arc::clone(let_go));
    serve(move || {
        let handler = async |let_go: Data<AtomicBool>| {
            render(&let_go);
            HttpResponse::Ok().finish()
        };
        App::new()
            .app_data(Data::from(Arc::clone(&let_go)))
            .route("/{name:<b>|report}", web::get().to(handler))
            .wrap(watch.clone())
    })
}

/// Asserts that the dialog is open, names the line that holds the worker, and is no wider than the
/// page.
async fn assert_told(browser: &Browser) {
    browser.wait_for("#stack[open]").await;
    let sentence = browser.text("#stack-of").await;
    assert!(
        sentence.contains("GET /{name:<b>|report} (future"),
        "{sentence}"
    );
    let lines = browser.text("#stack-lines").await;
    assert!(lines.contains("holdup_testkit::pause"), "{lines}");
    assert!(lines.contains("holdup-testkit/src/lib.rs:"), "{lines}");
    assert!(lines.contains("in std::thread::sleep"), "{lines}");
    let frames = browser.text("#stack-frames").await;
    let mut source = include_str!("stack.rs").lines();
    let call = source.position(|line| line.ends_with(" // the call"));
    let call = call.expect("it is there") + 1;
    let frame = format!("console::stack::render (tests/console/stack.rs:{call})");
    assert!(frames.lines().any(|line| line == frame), "{frames}");
    let made = "document.querySelectorAll('#stack b').length";
    assert_eq!(browser.eval(made).await, 0, "text is text");
    let fits = "document.documentElement.scrollWidth <= innerWidth
        && [...document.querySelectorAll('#stack, #stack *')].every((element) => {
            const { left, right } = element.getBoundingClientRect();
            return left >= 0 && right <= innerWidth;
        })";
    assert_eq!(browser.eval(fits).await, true);
}

#[tokio::test]
async fn the_line_that_holds_a_worker_is_shown_on_demand() {
    let (watch, let_go) = (Watch::new(), Arc::default());
    let served = renders(&watch, &let_go);
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0")
        .start()
        .expect("a console");
    let browser = Browser::start(Kind::Chromium).await;
    browser.resize(1280, 800).await;
    browser
        .goto(&format!("http://{}/", console.address()))
        .await;
    browser.wait_for("body[data-state=live]").await;
    let address = served.address;
    let held = thread::spawn(move || get(address, "/report").status);

    browser.click("#workers .stack").await;
    assert_told(&browser).await;
    browser.screenshot("console-stack-1280").await;
    browser.resize(360, 740).await;
    assert_told(&browser).await;
    browser.screenshot("console-stack-360").await;
    browser.press(Key::Escape).await;
    let closed = "!document.querySelector('#stack').open";
    browser.wait_until(closed).await;
    let focused = "document.activeElement.matches('#workers .stack')";
    assert_eq!(browser.eval(focused).await, true, "the place is kept");
    browser.press(Key::Enter).await;
    assert_told(&browser).await;
    assert!(!held.is_finished(), "the hold still lasts");

    // The dialog also works for a hold that is over, and stays open until it is closed.
    let_go.store(true, Ordering::Relaxed);
    assert_eq!(held.join().expect("an answer"), 200);
    browser.wait_for("[data-worker='0'][data-held=false]").await;
    assert_told(&browser).await;
    browser.press(Key::Escape).await;
    browser.wait_until(closed).await;
    let moved = "document.activeElement.id === 'holds'";
    browser.wait_until(moved).await;
    browser.click("#holds .stack").await;
    assert_told(&browser).await;
    browser.click("#stack-close").await;
    browser.wait_until(closed).await;
    let focused = "document.activeElement.matches('#holds .stack')";
    assert_eq!(browser.eval(focused).await, true, "the place is kept");
    browser.finish().await;
}
