//! What the command line says about HTTP/2. The connections themselves are tested where they are made, in
//! `holdup-probe`.

use holdup_testkit::external::node;
use holdup_testkit::odd;
use serde_json::Value;

use super::{json, probe, url};

#[test]
fn a_server_without_http_2_gets_its_verdict_and_one_sentence_about_the_flag() {
    let server = node();
    let url = url(&server, "/timer");
    let document = json(&[&url, "--http2"]);
    let connection = &document["connection"];
    assert_eq!(connection["protocol"], "h2");
    assert_eq!(connection["verdict"], "inconclusive");
    assert_eq!(connection["max_concurrent_streams"], Value::Null);
    let sentence = connection["sentence"].as_str().expect("a sentence");
    let begins = sentence.starts_with("One HTTP/2 connection was not measured: the server ");
    let ends = sentence.ends_with("; leave out --http2.");
    assert!(begins && ends, "{sentence}");
    assert_ne!(document["verdict"], "inconclusive", "{document:#}");

    // Where nobody asked for it, nothing is said.
    let document = json(&[&url]);
    assert_eq!(document["connection"], Value::Null);

    let both = probe(&[&url, "--http1", "--http2"]);
    assert_eq!(both.status.code(), Some(2), "{both:?}");
}

#[test]
fn a_server_that_speaks_http_2_only_gets_advice() {
    // Its settings.
    let address = odd::serve(|stream, _| {
        odd::write(&stream, b"\0\0\0\x04\0\0\0\0\0");
    });
    let document = json(&[&address.to_string()]);
    assert_eq!(document["verdict"], "inconclusive");
    let advice = document["advice"].to_string();
    assert!(advice.contains("add --http2"), "{document:#}");
}
