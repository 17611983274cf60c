//! The prober itself, when there is much to read or little time to do it.

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
fn what_the_prober_cannot_read_in_time_is_not_taken_for_the_servers_doing() {
    // More than a debug build can digest in that time; a release build can.
    let address = paced::serve(40_000_000, PACED).to_string();
    let document = json(&[&address, "-n8"]);
    // Which reason it has depends on where a slow machine is slow first.
    let verdict = document["verdict"].as_str().expect("a verdict");
    let right = ["concurrent", "inconclusive"].contains(&verdict);
    assert!(right, "{document:#}");
}
