//! How many requests run at a time at most, and what the first bytes of streams show.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::{App, HttpResponse, web};
use holdup_testkit::app::{Served, serve as actix};
use holdup_testkit::odd::{serve, write};
use holdup_testkit::pause;
use serde_json::{Value, json as value};
use tokio::sync::Semaphore;

use super::{REPEATS, json, probe};

const TAKES: Duration = Duration::from_millis(200);

/// `/waits` serves five at a time, `/rejects` three, and `/all` as many as come.
fn app() -> Served {
    let five = web::Data::new(Semaphore::new(5));
    let running = web::Data::new(AtomicUsize::new(0));
    let waits = |five: web::Data<Semaphore>| async move {
        let _place = five.acquire().await.expect("it is never closed");
        sleep(TAKES).await;
        HttpResponse::Ok().finish()
    };
    let rejects = |running: web::Data<AtomicUsize>| async move {
        if running.fetch_add(1, SeqCst) >= 3 {
            running.fetch_sub(1, SeqCst);
            return HttpResponse::ServiceUnavailable().finish();
        }
        sleep(TAKES).await;
        running.fetch_sub(1, SeqCst);
        HttpResponse::Ok().finish()
    };
    let all = || async {
        sleep(TAKES).await;
        HttpResponse::Ok().finish()
    };
    actix(move || {
        App::new()
            .app_data(five.clone())
            .app_data(running.clone())
            .route("/waits", web::get().to(waits))
            .route("/rejects", web::get().to(rejects))
            .route("/all", web::get().to(all))
    })
}

/// Asserts what a part of the document is. On a busy machine a probe may be inconclusive, and is repeated; a wrong
/// number fails at once.
#[track_caller]
fn expect(arguments: &[&str], key: &str, expected: &Value) -> Value {
    let mut document = json(arguments);
    for _ in 0..REPEATS {
        let found = &document[key]["at_a_time"];
        if expected["at_a_time"].is_null() || !found.is_null() {
            break;
        }
        document = json(arguments);
    }
    let expected = expected.as_object().expect("an object");
    for (field, expected) in expected {
        assert_eq!(&document[key][field], expected, "{field}: {document:#}");
    }
    document
}

#[test]
fn the_limit_is_found_with_what_happens_beyond_it() {
    let app = app();
    let url = |path: &str| format!("http://{}{path}", app.address);
    let waits = value!({ "at_a_time": 5, "confirmed": true, "beyond": "waits", "status": null });
    let document = expect(&[&url("/waits"), "--limit", "--max=32"], "limit", &waits);
    assert_eq!(document["verdict"], "concurrent", "only four were sent");
    let rejects =
        value!({ "at_a_time": 3, "confirmed": true, "beyond": "rejected", "status": 503 });
    expect(
        &[&url("/rejects"), "--limit", "--max=32"],
        "limit",
        &rejects,
    );
    let all = value!({ "at_a_time": null, "confirmed": false, "beyond": null, "status": null });
    let document = expect(&[&url("/all"), "--limit", "--max=12"], "limit", &all);
    let sentence = document["limit"]["sentence"].as_str().expect("a sentence");
    assert!(sentence.starts_with("At least "), "{sentence}");
    // Nobody asked for it.
    assert_eq!(json(&[&url("/all")])["limit"], Value::Null);

    let output = probe(&[&url("/rejects"), "--limit", "--max=16"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("\nServes 3 at a time; the fourth gets 503.\n"),
        "{text}"
    );
}

#[test]
fn a_rate_limit_that_turns_all_requests_away_is_told_with_its_status() {
    let asked = web::Data::new(AtomicUsize::new(0));
    let window = |asked: web::Data<AtomicUsize>| async move {
        if asked.fetch_add(1, SeqCst) >= 40 {
            return HttpResponse::TooManyRequests().finish();
        }
        sleep(TAKES).await;
        HttpResponse::Ok().finish()
    };
    let app = actix(move || {
        App::new()
            .app_data(asked.clone())
            .route("/window", web::get().to(window))
    });
    let url = format!("http://{}/window", app.address);
    let rejected = value!(
        { "at_a_time": null, "confirmed": false, "beyond": "rejected", "status": 429 }
    );
    let document = expect(&[&url, "--limit"], "limit", &rejected);
    let sentence = document["limit"]["sentence"].as_str().expect("a sentence");
    let told = " at once, all got 429, as with a rate limit.";
    assert!(sentence.ends_with(told), "{sentence}");
}

#[test]
fn first_bytes_show_the_slots_of_a_server_whose_answers_differ_in_length() {
    let slots = Arc::new((Mutex::new(2), Condvar::new()));
    let address = serve(move |stream, number| {
        write(&stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let (free, freed) = &*slots;
        let free = free.lock().expect("nobody panics with it");
        let mut free = freed
            .wait_while(free, |free| *free == 0)
            .expect("nobody panics with it");
        *free -= 1;
        drop(free);
        pause(Duration::from_millis(100));
        for _word in 0..[12, 5, 20, 8, 15][number % 5] {
            write(&stream, "word ");
            pause(Duration::from_millis(50));
        }
        drop(stream);
        *slots.0.lock().expect("nobody panics with it") += 1;
        slots.1.notify_one();
    });
    let two = value!({ "at_a_time": 2, "verdict": "limited" });
    let url = format!("http://{address}/");
    let document = expect(&[&url, "-n6"], "began", &two);
    assert_ne!(document["verdict"], "concurrent");
}
