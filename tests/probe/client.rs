//! The prober itself, when it has much to read or little time to read it.

use std::time::Duration;

use holdup_testkit::paced;

use super::{expect, json};

const PACED: Duration = Duration::from_millis(300);

#[test]
fn answers_of_megabytes_that_come_side_by_side_are_concurrent() {
    let address = paced::serve(1_000_000, PACED).to_string();
    let document = expect(&address, &["-n8"], "concurrent", Some(8));
    assert_eq!(document["delivery"], "streamed");
}

#[test]
fn answers_that_the_prober_reads_late_are_not_blamed_on_the_server() {
    // This is more than a debug build can process in that time; a release build can.
    let address = paced::serve(40_000_000, PACED).to_string();
    let document = json(&[&address, "-n8"]);
    // The reason depends on which part of the work a slow machine is late with first.
    let verdict = document["verdict"].as_str().expect("a verdict");
    let right = ["concurrent", "inconclusive"].contains(&verdict);
    assert!(right, "{document:#}");
}
