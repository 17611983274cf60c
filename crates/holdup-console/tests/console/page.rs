//! The page of a user's own app, in a real browser.

use actix_web::{App, HttpResponse, web};
use holdup_testkit::app::serve;
use holdup_testkit::browser::{Browser, Kind};
use holdup_watch::Watch;

use super::*;

#[tokio::test]
async fn an_own_apps_page_has_its_buttons_and_no_browser_experiment() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        serve(move || {
            let report = async || HttpResponse::Ok().body("done");
            App::new()
                .route("/report", web::get().to(report))
                .wrap(watch.clone())
        })
    };
    let start = |address: String| {
        holdup_console::Console::builder(&watch, address)
            .app(format!("http://{}", served.address))
            .button("/report")
            .start()
            .expect("a console")
    };
    let console = start("127.0.0.1:0".to_owned());
    let address = console.address();
    let browser = Browser::start(Kind::Chromium).await;
    browser.goto(&format!("http://{address}/")).await;
    browser.wait_for("body[data-state=live]").await;
    browser.wait_for("[data-button='0'] button.run").await;
    assert_eq!(
        browser
            .eval("document.querySelector('#browser, [src^=\"/section/\"]') === null")
            .await,
        true
    );
    browser.click("[data-button='0'] button.run").await;
    // A probe of a route that answers immediately is inconclusive.
    browser
        .wait_for("[data-button='0'] .verdict[data-kind=inconclusive]")
        .await;

    // The page reconnects by itself when the app is back.
    drop(console);
    browser.wait_for("body[data-state=reconnecting]").await;
    let _console = start(address.to_string());
    browser.wait_for("body[data-state=live]").await;
    let errors = browser.errors().await;
    assert!(
        errors.iter().all(|error| error.contains("/events")),
        "{errors:?}"
    );
    browser.finish().await;
}

#[tokio::test]
async fn a_worker_that_has_ended_is_no_longer_shown() {
    let watch = Watch::new();
    let app = || {
        let watch = watch.clone();
        serve(move || {
            let hello = async || HttpResponse::Ok().body("hello");
            App::new()
                .route("/", web::get().to(hello))
                .wrap(watch.clone())
        })
    };
    let first = app();
    let console = holdup_console::Console::builder(&watch, "127.0.0.1:0")
        .start()
        .expect("a console");
    let browser = Browser::start(Kind::Chromium).await;
    browser
        .goto(&format!("http://{}/", console.address()))
        .await;
    assert_eq!(get(first.address, "/").status, 200);
    browser.wait_for("[data-worker='0']").await;
    drop(first);
    let second = app();
    assert_eq!(get(second.address, "/").status, 200);
    browser.wait_for("[data-worker='1']").await;
    let alone = "document.querySelectorAll('#workers li').length === 1";
    browser.wait_until(alone).await;
    browser.finish().await;
}
