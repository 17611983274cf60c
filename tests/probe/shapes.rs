//! Real servers with less common behaviour: work left behind, batches, rate limits, start-up.

use std::time::Duration;

use actix_web::{App, HttpResponse, rt, web};
use holdup_testkit::app::serve as actix;
use holdup_testkit::external::shapes;
use holdup_testkit::odd::{serve, write};
use holdup_testkit::pause;
use serde_json::Value;

use super::{REPEATS, expect, json, probe, url};

/// The printed text for a new server, once there is a verdict.
fn text(path: &str, arguments: &[&str]) -> String {
    let read = || {
        let server = shapes();
        let output = probe(&[&[url(&server, path).as_str()], arguments].concat());
        let text = String::from_utf8(output.stdout).expect("text");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mut text = read();
    for _ in 0..REPEATS {
        if !text.contains("Inconclusive") {
            break;
        }
        text = read();
    }
    text
}

/// As [`expect`], but with a new server for each probe, because what earlier requests leave behind may last
/// for seconds.
#[track_caller]
fn expect_new(path: &str, arguments: &[&str], verdict: &str, at_a_time: Option<u64>) -> Value {
    let judged = || {
        let server = shapes();
        json(&[&[url(&server, path).as_str()], arguments].concat())
    };
    let mut document = judged();
    for _ in 0..REPEATS {
        if document["verdict"] != "inconclusive" {
            break;
        }
        document = judged();
    }
    assert_eq!(document["verdict"], verdict, "{document:#}");
    assert_eq!(document["at_a_time"].as_u64(), at_a_time, "{document:#}");
    document
}

/// Probes new servers until one is inconclusive for a reason that has these words: a busy machine may give
/// another one. None may have a verdict.
#[track_caller]
fn inconclusive(path: &str, arguments: &[&str], words: &[&str]) {
    let mut reasons = Vec::new();
    for _ in 0..=REPEATS {
        let server = shapes();
        let document = expect(&url(&server, path), arguments, "inconclusive", None);
        let reason = document["reason"].as_str().expect("a reason").to_owned();
        if words.iter().all(|words| reason.contains(words)) {
            return;
        }
        reasons.push(reason);
    }
    panic!("{reasons:#?}");
}

/// Asserts that work left behind is the reason for the verdict.
#[track_caller]
fn assert_left_behind(document: &Value) {
    let reason = document["reason"].as_str().expect("a reason");
    // If they are answered one by one, a rate limit causes the same pattern.
    let ways = [
        ", but what a request leaves behind blocks the next ones for ",
        ", but the next ones wait ",
    ];
    let blocks = ways.iter().find_map(|way| reason.split_once(way));
    let (answer, behind) = blocks.unwrap_or_else(|| panic!("{document:#}"));
    assert!(answer.starts_with("each answer comes after "), "{reason}");
    let behind = behind.split(' ').next().and_then(|ms| ms.parse().ok());
    // A busy machine makes it longer.
    assert!(matches!(behind, Some(250..1000)), "{reason}");
    assert!(reason.contains("what a request leaves behind"), "{reason}");
}

#[test]
fn what_a_request_leaves_behind_is_serialized_though_all_are_answered_together() {
    let document = expect_new("/leaves", &["-n8"], "serialized", Some(1));
    assert_left_behind(&document);
    let text = text("/leaves", &["-n8"]);
    assert!(
        text.contains("What to do: - Look for what the handler starts"),
        "{text}"
    );
}

#[test]
fn a_first_request_that_takes_its_time_does_not_hide_what_is_left_behind() {
    let document = expect_new("/leaves/cold", &["-n8"], "serialized", Some(1));
    assert_left_behind(&document);
}

#[test]
fn a_task_that_an_actix_handler_spawns_and_that_blocks_is_found() {
    let job = || async {
        rt::spawn(async { pause(Duration::from_millis(300)) });
        HttpResponse::Ok().body("done")
    };
    let mut document = Value::Null;
    for _ in 0..=REPEATS {
        let served = actix(move || App::new().route("/job", web::get().to(job)));
        document = json(&[&format!("http://{}/job", served.address), "-n8"]);
        if document["verdict"] != "inconclusive" {
            break;
        }
    }
    assert_eq!(document["verdict"], "serialized", "{document:#}");
    assert_left_behind(&document);
}

#[test]
fn work_left_behind_that_blocks_nothing_is_concurrent() {
    let server = shapes();
    expect(
        &url(&server, "/background"),
        &["-n8"],
        "concurrent",
        Some(8),
    );
}

#[test]
fn batches_are_a_limit_at_a_pace_of_their_own() {
    let server = shapes();
    let document = expect(&url(&server, "/batches"), &["-n8"], "limited", Some(4));
    let reason = document["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("each batch takes 1."), "{reason}");
    let text = text("/batches", &["-n8"]);
    assert!(
        text.contains("pm.max_children"),
        "the advice is for PHP: {text}"
    );
}

#[test]
fn one_actor_behind_all_requests_is_serialized_whenever_it_answers() {
    let server = shapes();
    let document = expect(&url(&server, "/actor"), &["-n8"], "serialized", Some(1));
    let reason = "together they took as long as they would one after the other";
    assert_eq!(document["reason"], reason);
}

#[test]
fn a_token_bucket_is_a_limit_on_the_rate() {
    let mut reasons = Vec::new();
    for _ in 0..=REPEATS {
        // On a busy machine, the pattern may be that of queues of uneven length, which have the same first
        // step.
        let document = expect_new("/tokens", &["-n8"], "limited", Some(4));
        let reason = document["reason"].as_str().expect("a reason").to_owned();
        if reason.contains("a rate limit") {
            return;
        }
        reasons.push(reason);
    }
    panic!("{reasons:#?}");
}

#[test]
fn a_limit_on_the_rate_that_the_probe_itself_drives_up_is_called_so() {
    let server = shapes();
    expect(&url(&server, "/rate"), &[], "serialized", Some(1));
    let text = text("/rate", &[]);
    assert!(text.contains("rate limit"), "{text}");
}

#[test]
fn instances_that_start_are_no_limit() {
    let differs = "two measurements differ: first 4 at a time, then 8 at a time";
    inconclusive(
        "/cold",
        &["-n8"],
        &[differs, "; part of the server may have been starting up"],
    );
}

#[test]
fn an_answer_that_is_kept_is_not_a_server_that_is_too_fast() {
    let words = ["the first request took 6", "an answer is cached"];
    inconclusive("/kept", &[], &words);
}

#[test]
fn errors_of_a_pool_show_its_time_out_and_its_size() {
    let words = [
        "got status 500 after 5",
        "the successful ones ran 3 at a time",
    ];
    inconclusive("/pool", &["-n8"], &words);
}

#[test]
fn a_part_that_is_done_one_at_a_time_is_named() {
    let words = [
        "one request finished every ",
        "part of the work is done one at a time",
    ];
    inconclusive("/part", &["-n8"], &words);
}

#[test]
fn a_compressed_stream_whose_header_comes_at_once_is_buffered() {
    let address = serve(|stream, _| {
        write(
            &stream,
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n0123456789",
        );
        pause(Duration::from_millis(500));
        write(&stream, "x".repeat(20_000));
    });
    let server = address.to_string();
    let document = expect(&server, &[], "concurrent", Some(4));
    assert_eq!(document["delivery"], "buffered");
    let text = String::from_utf8(probe(&[&server]).stdout).expect("text");
    assert!(text.contains("Buffered: 10 bytes in the first "), "{text}");
}

#[test]
fn work_that_varies_leaves_nothing_behind() {
    // Two backends, of which one takes longer: all requests run side by side.
    let address = serve(|stream, number| {
        let slow = matches!(number, 1 | 4 | 5 | 7 | 9 | 11 | 13);
        pause(Duration::from_millis(if slow { 500 } else { 200 }));
        write(&stream, "HTTP/1.1 200 OK\r\n\r\ndone");
    });
    let document = json(&[&address.to_string(), "-n8"]);
    assert_eq!(document["verdict"], "inconclusive", "{document:#}");
    let reason = document["reason"].as_str().expect("a reason");
    assert!(!reason.contains("leaves behind"), "{reason}");
}
