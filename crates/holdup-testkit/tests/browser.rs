//! A tab in a real browser.

use std::fs;

use actix_web::{App, HttpResponse, web};

use holdup_testkit::app::{Served, serve};
use holdup_testkit::browser::{Browser, Kind};

/// A page without errors, and a page with every kind of error.
fn pages() -> Served {
    let good = "<!doctype html><title>good</title><body><input value=old>
        <button>press</button><p hidden>pressed</p><script src=/good.js></script>";
    let good_script = "const [button, p, input] = ['button', 'p', 'input'].map(
        name => document.querySelector(name));
        button.onclick = () => { p.hidden = false; p.append(' ', input.value); };";
    let bad = "<!doctype html><title>bad</title><body><script>inline</script>
        <p style='color: red'>red</p><script src=/bad.js></script>";
    let bad_script = "Promise.reject(new Error('rejected'));
        console.error('said', { so: 1 });
        console.error(new Error('given'));
        console.warn('only warned');
        try { document.body.innerHTML = 'not trusted'; } catch {}
        throw new Error('thrown');";
    serve(move || {
        let answer = |kind: &'static str, body: &'static str| {
            web::get().to(move || async move {
                let policy = "default-src 'none'; script-src 'self'; style-src 'self'; \
                    require-trusted-types-for 'script'";
                HttpResponse::Ok()
                    .content_type(kind)
                    .insert_header(("content-security-policy", policy))
                    .body(body)
            })
        };
        App::new()
            .route("/good", answer("text/html", good))
            .route("/good.js", answer("text/javascript", good_script))
            .route("/bad", answer("text/html", bad))
            .route("/bad.js", answer("text/javascript", bad_script))
    })
}

#[tokio::test]
async fn errors_of_a_page_are_reported_in_chromium() {
    errors_of_a_page_are_reported(Kind::Chromium).await;
}

#[tokio::test]
async fn errors_of_a_page_are_reported_in_firefox() {
    errors_of_a_page_are_reported(Kind::Firefox).await;
}

async fn errors_of_a_page_are_reported(kind: Kind) {
    let app = pages();
    let browser = Browser::start(kind).await;
    browser.goto(&format!("http://{}/bad", app.address)).await;
    let errors = browser.errors().await;
    let wanted = [
        "Error: thrown",
        "Error: rejected",
        "inline script",
        "inline style",
        "Trusted",
        "said",
        "given",
    ];
    for wanted in wanted {
        let mut with = errors.iter().filter(|error| error.contains(wanted));
        assert!(with.next().is_some(), "{kind:?}, {wanted}: {errors:#?}");
    }
    assert!(!errors.iter().any(|error| error.contains("only warned")));
    // Each error is reported once, so none is left.
    browser.finish().await;
}

#[tokio::test]
async fn a_page_is_used_in_chromium() {
    a_page_is_used(Kind::Chromium).await;
}

#[tokio::test]
async fn a_page_is_used_in_firefox() {
    a_page_is_used(Kind::Firefox).await;
}

/// Uses each helper once.
async fn a_page_is_used(kind: Kind) {
    let app = pages();
    let url = format!("http://{}/good", app.address);
    let browser = Browser::start(kind).await;
    browser.goto(&url).await;
    browser.fill("input", "new").await;
    assert_eq!(browser.text("p").await, "", "hidden");
    browser.click("button").await;
    browser.wait_for("p").await;
    assert_eq!(browser.text("p").await, "pressed new");
    let sum = browser.execute("return arguments[0] + 1", vec![1.into()]);
    assert_eq!(sum.await, 2);

    browser.prefer(true, true).await;
    browser.prefer(false, false).await;
    browser.resize(320, 640).await;
    let picture = browser.screenshot(&format!("a-page-{kind:?}")).await;
    let picture = fs::read(picture).expect("it was written");
    // The size in a PNG follows its signature and the head of the first chunk.
    assert_eq!(picture[16..24], [0, 0, 1, 64, 0, 0, 2, 128]);

    let first = browser.tab().await;
    let second = browser.new_tab().await;
    browser.goto(&url).await;
    assert_eq!(browser.text("p").await, "", "a page of its own");
    browser.switch_to(&first).await;
    assert_eq!(browser.text("p").await, "pressed new");
    browser.switch_to(&second).await;
    browser.close_tab(&first).await;
    assert_eq!(browser.eval("document.title").await, "good");

    if kind == Kind::Chromium {
        let before = browser.heap().await;
        browser
            .execute("window.kept = new Array(1e6).fill(0.5)", vec![])
            .await;
        let grown = browser.heap().await - before;
        assert!((4_000_000..20_000_000).contains(&grown), "{grown}");
    }
    browser.finish().await;
}
