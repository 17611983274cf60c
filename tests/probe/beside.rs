//! The text and the pictures of a probe that asks other routes meanwhile.

use std::fs;
use std::process::Output;
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::{App, HttpResponse, web};
use holdup_testkit::app::serve;
use holdup_testkit::external::folder;
use holdup_testkit::pause;

use super::{REPEATS, probe};
use crate::server::Server;

/// What is printed, once noise did not hide the cause.
fn printed(arguments: &[&str], cause: &str) -> (Output, String) {
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let mut output = probe(arguments);
    for _ in 0..REPEATS {
        if text(&output).contains(cause) {
            break;
        }
        output = probe(arguments);
    }
    let text = text(&output);
    (output, text)
}

#[track_caller]
fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest
            .find(part)
            .unwrap_or_else(|| panic!("no {part:?} in its place: {text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn the_cause_comes_first_and_a_frozen_route_has_a_row_below_the_request_that_freezes_it() {
    let lab = Server::start(&["--workers=1"]);
    let url = format!("{}/blocking?from=3&period=250ms", lab.address);
    let healthz = format!("{}/healthz", lab.address);
    let folder = folder();
    let file = folder.join("picture.svg");
    let svg = format!("--svg={}", file.display());
    let cause = "Each request holds the event loop, or the only worker";
    let (output, text) = printed(&[&url, "--beside", &healthz, &svg], cause);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_in_order(
        &text,
        &[
            "/blocking?from=3&period=250ms\n\n",
            cause,
            "so that /healthz is not\nanswered meanwhile.\n\n",
            "█",
            "Serialized: the 4 requests ran one at a time",
            "- alone: ",
            "Streamed: ",
            "/healthz got no answer for ",
            "- alone, ",
            "- while one request ran: asked ",
            "█",
            "/healthz, ",
            "··········",
            "•",
            "no answer for ",
            "chunk or answer",
            "The cause would be refuted by ",
            "What to do:\n",
            "three cures",
        ],
    );
    // The contrast was made.
    assert!(!text.contains("--beside"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}\n{text}");
    }

    let picture = fs::read_to_string(&file).expect("it is written");
    assert_eq!(picture.matches("class=\"line\"").count(), 2, "{picture}");
    assert_in_order(
        &picture,
        &[
            "<title>Each request holds the event loop",
            ">Each request holds the event loop",
            "Serialized: the 4 requests",
            "class=\"line\"",
            ">/healthz got no answer for ",
            "no answer for ",
            "class=\"line\"",
        ],
    );
    fs::remove_dir_all(folder).ok();
}

#[test]
fn a_route_that_is_answered_as_usual_is_shown_and_nothing_is_advised() {
    let lab = Server::start(&["--workers=1", "--pool-threads=8"]);
    let url = format!("{}/threadpool?from=3&period=150ms", lab.address);
    let healthz = format!("{}/healthz", lab.address);
    let cause = "Nothing holds the requests up";
    let (output, text) = printed(&[&url, "--beside", &healthz], cause);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_in_order(
        &text,
        &[
            cause,
            "Concurrent: all 4",
            "/healthz was answered as usual while 4 requests ran",
            "•••",
            "answered in ",
        ],
    );
    for part in ["no answer for", "refuted", "What to do"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_part_of_a_route_that_one_worker_of_two_holds_up_has_a_row_of_its_own() {
    let lab = Server::start(&["--workers=2"]);
    let url = format!("{}/blocking?from=3&period=250ms", lab.address);
    let healthz = format!("{}/healthz", lab.address);
    let cause = "Each request holds one worker of several";
    let (_, text) = printed(&[&url, "--beside", &healthz], cause);
    assert_in_order(
        &text,
        &[
            cause,
            "A part of the requests to /healthz got no answer for ",
            "/healthz, ",
            "no answer for ",
            "/healthz, ",
            "answered in ",
            "What to do:\n",
        ],
    );
}

#[test]
fn a_loop_that_is_blocked_in_two_pieces_is_not_taken_for_a_prober_that_is_late() {
    let pieces = || async {
        pause(Duration::from_millis(700));
        sleep(Duration::from_millis(1)).await;
        pause(Duration::from_millis(300));
        HttpResponse::Ok().finish()
    };
    let app = serve(move || {
        App::new()
            .route("/pieces", web::get().to(pieces))
            .route("/fast", web::get().to(HttpResponse::Ok))
    });
    let url = |path: &str| format!("http://{}{path}", app.address);
    let told = "so many of its requests were unanswered that no more were sent meanwhile";
    let mut texts = Vec::new();
    for _ in 0..=REPEATS {
        let output = probe(&[&url("/pieces"), "--beside", &url("/fast"), "-n2"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // The lines are broken where they are too long.
        let words: Vec<_> = text.split_whitespace().collect();
        let words = words.join(" ");
        if words.contains(told) && !words.contains("the prober was late") {
            return;
        }
        texts.push(text);
    }
    panic!("{texts:#?}");
}
