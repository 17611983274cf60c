//! `--cookie-contrast` and `--versus`, and what is said before they begin.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::{App, HttpResponse, web};
use holdup_testkit::app::serve;
use holdup_testkit::external::{External, contrasts};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{REPEATS, json, probe, url};

const COOKIE: [&str; 3] = ["-H", "Cookie: id=1", "--cookie-contrast"];

/// What a contrast found, once noise did not make it inconclusive.
fn found(arguments: &[&str], contrast: &str) -> Value {
    let mut document = json(arguments);
    for _ in 0..REPEATS {
        if document["verdict"] != "inconclusive" && document[contrast]["verdict"] != "inconclusive"
        {
            break;
        }
        document = json(arguments);
    }
    document
}

fn session(server: &External, path: &str) -> Value {
    let url = url(server, path);
    found(&[&[url.as_str()], &COOKIE[..]].concat(), "session")
}

#[test]
fn a_lock_by_session_is_found_by_leaving_the_cookie_out() {
    let server = contrasts();
    let document = session(&server, "/session/guest");
    assert_eq!(document["verdict"], "serialized", "{document:#}");
    let contrast = &document["session"];
    assert_eq!(contrast["verdict"], "concurrent", "{document:#}");
    assert_eq!(contrast["at_a_time"], 4);
    assert_eq!(
        contrast["sentence"],
        "With the same cookie or credential, the 4 requests ran one at a time; without it, they ran at the \
         same time: a lock by session."
    );

    assert_eq!(document["cause"]["kind"], "by_session", "{document:#}");

    let document = session(&server, "/plain");
    assert_eq!(document["session"]["verdict"], "concurrent", "{document:#}");
    assert_eq!(document["versus"], Value::Null);
}

#[test]
fn a_server_that_turns_guests_away_cannot_be_compared() {
    let server = contrasts();
    for (path, told) in [
        ("/session/private", "the server answers 401"),
        ("/session/login", "the server answers with a redirect (302)"),
    ] {
        let url = url(&server, path);
        let arguments = [&[url.as_str()], &COOKIE[..]].concat();
        let mut document = json(&arguments);
        for _ in 0..REPEATS {
            if document["verdict"] != "inconclusive" {
                break;
            }
            document = json(&arguments);
        }
        let session = &document["session"];
        assert_eq!(session["verdict"], "inconclusive", "{document:#}");
        assert_eq!(session["at_a_time"], Value::Null);
        let sentence = session["sentence"].as_str().expect("a sentence");
        assert!(sentence.contains(told), "{sentence}");
    }
}

#[test]
fn a_proxy_that_is_narrower_than_its_server_is_found() {
    let server = contrasts();
    let (through, direct) = (url(&server, "/narrow/plain"), url(&server, "/plain"));
    let document = found(&[&through, "--versus", &direct], "versus");
    assert_eq!(document["verdict"], "limited", "{document:#}");
    assert_eq!(document["at_a_time"], 2);
    let versus = &document["versus"];
    assert_eq!(versus["url"], direct.as_str(), "{document:#}");
    assert_eq!(versus["verdict"], "concurrent", "{document:#}");
    assert_eq!(versus["at_a_time"], 4);
    assert_eq!(document["cause"]["kind"], "proxy", "{document:#}");
    assert!(versus["solo_ms"].as_f64() >= Some(299.0), "{document:#}");
    assert_eq!(
        versus["sentence"],
        format!(
            "Directly, at {direct}, the 4 requests ran at the same time; through {through}, they ran 2 at a \
             time: the proxy does it."
        )
    );
}

/// Two routes of which one serves one at a time and the other one two, until the first one is asked for the eighth time:
/// after the warm-up, two requests alone and four at once. Then both have twice as many places.
struct Growing {
    asked: AtomicUsize,
    through: Semaphore,
    direct: Semaphore,
}

async fn place(places: &Semaphore) -> HttpResponse {
    let _place = places.acquire().await.expect("it is never closed");
    sleep(Duration::from_millis(300)).await;
    HttpResponse::Ok().finish()
}

#[test]
fn a_pool_that_grows_is_not_a_proxy_that_is_narrower() {
    let pools = web::Data::new(Growing {
        asked: AtomicUsize::new(0),
        through: Semaphore::new(1),
        direct: Semaphore::new(2),
    });
    let through = |pools: web::Data<Growing>| async move {
        if pools.asked.fetch_add(1, SeqCst) == 7 {
            pools.through.add_permits(1);
            pools.direct.add_permits(2);
        }
        place(&pools.through).await
    };
    let direct = |pools: web::Data<Growing>| async move { place(&pools.direct).await };
    let app = serve(move || {
        App::new()
            .app_data(pools.clone())
            .route("/through", web::get().to(through))
            .route("/direct", web::get().to(direct))
    });
    let url = |path: &str| format!("http://{}{path}", app.address);
    // Once only: the second time, the pools have grown.
    let document = json(&[&url("/through"), "--versus", &url("/direct")]);
    assert_eq!(
        document["versus"]["verdict"], "inconclusive",
        "{document:#}"
    );
    assert_ne!(document["cause"]["kind"], "proxy", "{document:#}");
}

#[test]
fn a_proxy_that_holds_a_stream_back_is_found() {
    let server = contrasts();
    let (through, direct) = (url(&server, "/through/stream"), url(&server, "/stream"));
    let document = found(&[&through, "--versus", &direct], "versus");
    assert_eq!(document["delivery"], "single", "{document:#}");
    assert_eq!(document["versus"]["delivery"], "streamed", "{document:#}");
    let sentence = document["versus"]["sentence"].as_str().expect("a sentence");
    let told = "its answer is streamed directly, but in one piece through the proxy";
    assert!(sentence.contains(told), "{sentence}");
}

#[test]
fn a_second_url_that_redirects_or_cannot_be_reached_is_told_in_one_sentence() {
    let server = contrasts();
    let measured = url(&server, "/plain");
    let moved = url(&server, "/moved");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = format!("http://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    for (second, told) in [
        (
            moved.as_str(),
            format!(
                "The answer of {moved} is a redirect (302), which is not followed here: give the URL that it \
                 leads to."
            ),
        ),
        (
            &url(&server, "/missing"),
            format!("A request to {} got status 404.", url(&server, "/missing")),
        ),
        (
            &closed,
            format!("A request to {closed} failed: connection refused."),
        ),
    ] {
        let document = json(&[&measured, "--versus", second]);
        let versus = &document["versus"];
        assert_eq!(versus["verdict"], "inconclusive", "{document:#}");
        assert_eq!(versus["sentence"], told);
    }
}

#[test]
fn what_will_be_sent_is_said_before_and_the_sentence_is_printed_after() {
    let server = contrasts();
    let (measured, second) = (url(&server, "/plain"), url(&server, "/plain?second"));
    let output = probe(&[&measured, "--versus", &second, "-n2"]);
    let before = String::from_utf8(output.stderr).expect("UTF-8");
    let begins = format!("About to send at most:\n- 58 requests to {measured}, 2 at once\n");
    assert!(before.starts_with(&begins), "{before}");
    let line =
        format!("- 69 requests to {second}, 2 at once, and 14 more to {measured} (--versus)\n");
    assert!(before.contains(&line), "{before}");
    let after = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .replace('\n', " ");
    let sentence = format!("Directly, at {second}, the 2 requests ran");
    assert!(after.contains(&sentence), "{after}");

    let output = probe(&[&measured, "-n2"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
