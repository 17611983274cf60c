//! The page in real browsers.

use std::thread;

use holdup::lesson;
use holdup_testkit::browser::{Browser, Kind};
use holdup_testkit::client::get;
use holdup_testkit::console::state;
use serde_json::Value;

use crate::server::Server;

/// The lab, with its console open in a browser.
pub(crate) async fn open(kind: Kind, arguments: &[&str]) -> (Server, Browser) {
    let server = Server::start(arguments);
    let browser = Browser::start(kind).await;
    browser.resize(1280, 720).await;
    browser.goto(&format!("http://{}/", server.console())).await;
    browser.wait_for("body[data-state=live]").await;
    (server, browser)
}

/// Requests a countdown, and reads it on a thread.
fn countdown(server: &Server, path: &str) -> thread::JoinHandle<usize> {
    let mut reply = get(server.address, path);
    reply.tick().expect("it has begun");
    thread::spawn(move || reply.ticks().len() + 1)
}

#[tokio::test]
async fn a_link_on_another_sites_page_opens_it() {
    let server = Server::start(&[]);
    let browser = Browser::start(Kind::Chromium).await;
    // Browsers treat localhost and 127.0.0.1 as two sites.
    let lab = format!("http://localhost:{}/", server.address.port());
    browser.goto(&lab).await;
    let console = format!("http://{}/", server.console());
    browser
        .eval(&format!("void (location.href = '{console}')"))
        .await;
    browser.wait_for("body[data-state=live]").await;
    assert_eq!(browser.eval("location.href").await, console);
    assert_eq!(browser.eval("document.referrer").await, lab, "a link");
}

#[tokio::test]
async fn before_the_first_request_it_shows_what_to_try() {
    let (server, browser) = open(Kind::Chromium, &[]).await;
    let port = server.address.port();
    let commands = [1, 2].map(|x| format!("curl -N 'http://127.0.0.1:{port}/blocking?x={x}'"));
    // The commands are written one frame after the page is live.
    browser
        .wait_until("document.querySelector('#curl').textContent !== ''")
        .await;
    let shown = browser.text("#empty").await;
    for text in [&commands[0], &commands[1], "in two terminals"] {
        assert!(shown.contains(text), "{shown}");
    }
    browser.screenshot("console-empty").await;
    browser.finish().await;
}

#[tokio::test]
async fn a_blocked_request_is_drawn_as_waiting_while_the_worker_is_frozen() {
    let (server, browser) = open(Kind::Chromium, &[]).await;
    // For the picture: what it looks like when nobody is in the way.
    let [one, two] = ["a", "b"].map(|x| {
        let path = format!("/coroutine?from=5&period=400ms&x={x}");
        countdown(&server, &path)
    });
    assert_eq!(
        (one.join().expect("ticks"), two.join().expect("ticks")),
        (6, 6)
    );
    let first = countdown(&server, "/blocking?from=30&period=500ms&x=one");
    let address = server.address;
    let second = thread::spawn(move || {
        get(address, "/blocking?from=1&period=300ms&x=two")
            .ticks()
            .len()
    });

    browser
        .wait_for("li.lane[data-peer][data-state=waiting]")
        .await;
    browser.wait_for("[data-worker='0'][data-held=true]").await;
    let strip = browser.text("[data-worker='0']").await;
    assert!(
        strip.contains("held for") && strip.contains("GET /blocking"),
        "{strip}"
    );
    assert!(strip.contains("1 connection waits"), "{strip}");
    // The first countdown continues meanwhile, and its ticks are shown: nothing here is published
    // only afterwards.
    browser
        .wait_for("li.lane[data-lane='3'][data-state=answering]")
        .await;
    browser.click("#window label").await;
    let for_seconds = "/held for [4-9][.]/.test(document.querySelector('#workers').innerText)";
    browser.wait_until(for_seconds).await;
    browser.screenshot("console-held").await;
    assert!(!first.is_finished(), "all of this was seen while it lasted");

    assert_eq!(first.join().expect("ticks"), 31);
    browser.wait_for("li.lane[data-lane='4']").await;
    browser
        .wait_for("li.lane[data-lane='3'][data-state=done]")
        .await;
    assert_eq!(second.join().expect("ticks"), 2);
    browser
        .wait_for("li.lane[data-lane='4'][data-state=done]")
        .await;
    browser.wait_for("[data-worker='0'][data-held=false]").await;
    browser.finish().await;
}

#[tokio::test]
async fn a_lane_is_held_up_while_another_request_holds_its_worker() {
    let (server, browser) = open(Kind::Chromium, &[]).await;
    let healthy = countdown(&server, "/coroutine?from=12&period=300ms&x=healthy");
    let blocking = countdown(&server, "/blocking?from=12&period=500ms&x=blocking");
    let held_up = "li.lane[data-lane='1'][data-held-up=true]";
    browser.wait_for(held_up).await;
    let text = browser.text(held_up).await;
    assert!(
        text.contains("held up") && text.contains("by GET /blocking"),
        "{text}"
    );
    // The lane of the request that holds the worker is not itself held up.
    browser
        .wait_for("li.lane[data-lane='2'][data-state=answering]:not([data-held-up])")
        .await;
    let words = "/1 held up now. Worker 0 is held by GET .blocking/.test(
        document.querySelector('#chart').ariaLabel)";
    browser.wait_until(words).await;
    browser.screenshot("console-held-up").await;
    assert!(
        !blocking.is_finished(),
        "all of this was seen while it lasted"
    );

    assert_eq!(blocking.join().expect("ticks"), 13);
    assert_eq!(healthy.join().expect("ticks"), 13);
    browser
        .wait_for("li.lane[data-lane='1'][data-state=done][data-held-up=false]")
        .await;
    let title = "document.querySelector(\"li.lane[data-lane='1']\").title";
    let title = browser.eval(title).await;
    let title = title.as_str().unwrap_or_default();
    assert!(title.contains("by GET /blocking"), "{title}");
    browser.finish().await;
}

#[tokio::test]
async fn coroutine_lanes_are_answered_side_by_side() {
    let (server, browser) = open(Kind::Chromium, &[]).await;
    let streams = ["1", "2", "3"]
        .map(|x| countdown(&server, &format!("/coroutine?from=20&period=300ms&x={x}")));
    let answering = "document.querySelectorAll('li.lane[data-state=answering]').length === 3";
    browser.wait_until(answering).await;
    for stream in streams {
        assert_eq!(stream.join().expect("ticks"), 21);
    }
    let done = "document.querySelectorAll('li.lane[data-state=done]').length === 3";
    browser.wait_until(done).await;
    // Each chunk of one lane is between two chunks of the other.
    let state = state(server.console());
    let lanes = state["lanes"].as_array().expect("lanes");
    let chunks = |lane: usize| -> Vec<f64> {
        let all = lanes[lane]["chunks_ms"].as_array().expect("chunks");
        all.iter().filter_map(Value::as_f64).collect()
    };
    let (one, two) = (chunks(0), chunks(1));
    assert!(one[0] < two[19] && two[0] < one[19], "{one:?} {two:?}");
    let strip = browser.text("[data-worker='0'][data-held=false]").await;
    assert!(strip.contains("free"), "{strip}");
    browser.finish().await;
}

#[tokio::test]
async fn each_button_gives_its_verdict_beside_the_line_that_differs() {
    let (_server, browser) = open(Kind::Chromium, &[]).await;
    browser.fill("[data-parameter=period]", "200ms").await;
    let expected = [
        (
            "blocking",
            "serialized",
            "Serialized: the 2 requests ran one at a time",
            "/healthz got no answer for ",
        ),
        (
            "coroutine",
            "concurrent",
            "Concurrent: all 2 requests ran at the same time",
            "/healthz was answered as usual",
        ),
        (
            "callback",
            "concurrent",
            "Concurrent: all 2 requests ran at the same time",
            "/healthz was answered as usual",
        ),
        (
            "threadpool",
            "concurrent",
            "Concurrent: all 2 requests ran at the same time",
            "/healthz was answered as usual",
        ),
    ];
    for (button, (name, kind, sentence, beside)) in expected.into_iter().enumerate() {
        let card = format!("[data-button='{button}']");
        let code = browser.text(&format!("{card} code")).await;
        let step = lesson::step(name).expect("a handler");
        assert_eq!(
            code.split_whitespace().collect::<String>(),
            step.split_whitespace().collect::<String>()
        );
        browser.click(&format!("{card} button.run")).await;
        browser
            .wait_for(&format!("{card} .probe-lanes li[data-state]"))
            .await;
        browser
            .wait_for(&format!("{card} .verdict[data-kind={kind}]"))
            .await;
        let verdict = browser.text(&format!("{card} .verdict")).await;
        assert!(verdict.contains(sentence), "{name}: {verdict}");
        // On a busy machine, it may be uncertain what happens to the health check.
        let shown = browser.text(&format!("{card} .beside")).await;
        let open = shown.contains("not certain what happens to /healthz");
        assert!(shown.contains(beside) || open, "{name}: {shown}");
        let cause = browser.text(&format!("{card} .cause")).await;
        assert!(cause.contains("/healthz") || open, "{name}: {cause}");
        let lanes = format!("document.querySelectorAll(\"{card} .probe-lanes li\").length");
        assert_eq!(browser.eval(&lanes).await, 2);
    }
    // The results stay, so that they can be compared.
    assert_eq!(
        browser
            .eval("document.querySelectorAll('.verdict[data-kind]').length")
            .await,
        4
    );
    browser.fill("#requests", "99").await;
    browser.click("[data-button='0'] button.run").await;
    browser.wait_until("document.body.innerText.includes('2 to 16') || !document.querySelector('#requests').validity.valid").await;
    let refused = browser.errors().await;
    assert!(
        refused.iter().all(|error| error.contains("400")),
        "{refused:?}"
    );
    browser.resize(1280, 1000).await;
    browser.screenshot("console-verdicts").await;
    browser.resize(360, 1000).await;
    browser
        .eval("document.querySelector('[data-button=\"0\"] .verdict').scrollIntoView() ?? true")
        .await;
    browser.screenshot("console-verdicts-narrow").await;
    browser.finish().await;
}

#[tokio::test]
async fn markup_in_a_label_is_text() {
    let (server, browser) = open(Kind::Chromium, &[]).await;
    let label = "%3Cimg%20src=q%20onerror=window.bad=1%3E%3Cscript%3Ewindow.bad=1%3C/script%3E";
    let stream = countdown(
        &server,
        &format!("/coroutine?from=2&period=100ms&x={label}"),
    );
    assert_eq!(get(server.address, "/%3Cb%3Ebold%3C/b%3E").status, 404);
    browser
        .wait_for("li.lane[data-lane='2'][data-state=done]")
        .await;
    let text = browser.text("li.lane[data-lane='1']").await;
    assert!(text.contains("<img") || text.contains("%3Cimg"), "{text}");
    let made = "document.querySelectorAll('li.lane img, li.lane script, li.lane b b').length";
    assert_eq!(browser.eval(made).await, 0);
    assert_eq!(browser.eval("window.bad === undefined").await, true);
    assert_eq!(stream.join().expect("ticks"), 3);
    browser.finish().await;
}

#[tokio::test]
async fn it_works_on_a_phone_in_dark_mode_and_without_a_pointer() {
    let (server, browser) = open(Kind::Chromium, &[]).await;
    let held = countdown(&server, "/blocking?from=20&period=300ms&x=phone");
    browser.wait_for("[data-worker='0'][data-held=true]").await;
    for (dark, name) in [(false, "light"), (true, "dark")] {
        browser.prefer(dark, true).await;
        for (width, height) in [(360, 800), (1280, 900)] {
            browser.resize(width, height).await;
            let fits =
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
            assert_eq!(browser.eval(fits).await, true, "{width} px");
            browser.screenshot(&format!("console-{width}-{name}")).await;
        }
    }
    // Every control has a name, and the tab key reaches it.
    let nameless = "[...document.querySelectorAll('button, a, input, summary')].filter(e =>
        !(e.ariaLabel || e.textContent.trim() || e.labels?.length) || e.tabIndex < 0).length";
    assert_eq!(browser.eval(nameless).await, 0);
    let live = "document.querySelectorAll('[role=status], [aria-live]').length > 0";
    assert_eq!(browser.eval(live).await, true);
    assert_eq!(held.join().expect("ticks"), 21);
    browser.finish().await;
}
