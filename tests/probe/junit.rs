//! `--junit`: read by a parser of another make, and by the schema's rules.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use holdup_testkit::external::{contrasts, folder, node};
use holdup_testkit::target;
use serde_json::Value;

use super::differs::redirecting;
use super::{REPEATS, probe, url};

/// What a probe writes, and its exit code.
fn written(arguments: &[&str]) -> (Value, Option<i32>) {
    let folder = folder();
    let file = folder.join("junit.xml");
    let junit = format!("--junit={}", file.display());
    let output = probe(&[arguments, &[&junit]].concat());
    let read = read(&file);
    fs::remove_dir_all(folder).ok();
    (read, output.status.code())
}

fn read(file: &Path) -> Value {
    let read: Output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/probe/junit.py"))
        .arg(file)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .expect("python3 runs; scripts/test installs it");
    serde_json::from_slice(&read.stdout).unwrap_or_else(|error| panic!("{error}: {read:?}"))
}

#[test]
fn each_expectation_is_a_test() {
    let server = contrasts();
    let url = url(&server, "/narrow/plain");
    let arguments = [
        &url,
        "--expect",
        "limited=2,streamed,one-connection=concurrent",
        "--http2",
    ];
    let (mut document, mut code) = written(&arguments);
    for _ in 0..REPEATS {
        if document["cases"][0]["end"] != "skipped" {
            break;
        }
        (document, code) = written(&arguments);
    }
    assert_eq!(code, Some(1), "{document:#}");
    assert_eq!(document["suite"], "holdup probe");
    let case = |index: usize, field: &str| {
        let text = document["cases"][index][field].as_str();
        text.unwrap_or_else(|| panic!("no {field} of {index}: {document:#}"))
    };
    assert_eq!(case(0, "name"), format!("{url}: limited=2"));
    assert_eq!(case(0, "class"), "holdup.probe");
    assert_eq!(case(0, "end"), "passed");
    assert_eq!(case(1, "end"), "failure");
    let why = "expected streamed, but the answer is in one piece (single)";
    assert_eq!(case(1, "message"), why);
    // GitLab shows the text alone, so it has everything: why, the picture, the verdict and the evidence.
    let text = case(1, "text");
    assert!(text.starts_with(why), "{text}");
    for part in ["█", "\nLimited: ", "- alone: ", "What to do:"] {
        assert!(text.contains(part), "no {part}: {text}");
    }
    assert_eq!(case(2, "name"), format!("{url}: one-connection=concurrent"));
    // The server does not speak HTTP/2, so it cannot be told.
    assert_eq!(case(2, "end"), "skipped");
    let output = document["output"].as_str().expect("output");
    assert!(output.contains("\nLimited: "), "{output}");
}

#[test]
fn without_an_expectation_the_requests_should_be_concurrent() {
    let server = node();
    for (path, end, code) in [
        ("/timer", "passed", 0),
        ("/blocking", "failure", 1),
        ("/missing", "skipped", 3),
    ] {
        let url = url(&server, path);
        let (document, found) = written(&[&url]);
        // Noise may make any of them inconclusive.
        if found != Some(3) || path == "/missing" {
            assert_eq!(found, Some(code), "{document:#}");
            assert_eq!(document["cases"][0]["end"], end, "{document:#}");
            assert_eq!(document["cases"][0]["name"], format!("{url}: concurrent"));
        }
    }
}

#[test]
fn a_page_that_was_not_measured_is_skipped() {
    let address = redirecting("/login");
    let from = format!("http://{address}/report");
    let spread = ["--spread=12", "--id-header=x-worker"];
    for (arguments, name, why) in [
        (&[][..], "concurrent", "the test is for"),
        (&["--expect=concurrent"], "concurrent", "--expect judges"),
        (&spread, "spread=even", "the test is for"),
    ] {
        let (document, code) = written(&[&[from.as_str()], arguments].concat());
        let case = &document["cases"][0];
        assert_eq!(case["end"], "skipped", "{document:#}");
        assert_eq!(case["name"], format!("{from}: {name}"));
        let message = case["message"].as_str().expect("a message");
        let told = format!(
            "redirects to another page, http://{address}/login, but {why} the page that was given"
        );
        assert!(message.contains(&told), "{message}");
        // Without --expect, the code is that of the page that was measured; noise may make it inconclusive.
        let is_measured = arguments.is_empty();
        assert!(
            code == Some(3) || is_measured && code == Some(0),
            "{document:#}"
        );
    }
}

#[test]
fn a_probe_that_does_not_work_is_an_error() {
    for arguments in [
        &["http://me:secret@localhost/", "--expect=concurrent,single"][..],
        &["localhost:1", "--max=64", "--expect=concurrent,single"],
        &[
            "localhost:1",
            "--console=localhost:1",
            "--expect=concurrent,single",
        ],
    ] {
        let (document, code) = written(arguments);
        assert_eq!(code, Some(2), "{document:#}");
        let cases = document["cases"].as_array().expect("cases");
        assert_eq!(cases.len(), 2);
        for case in cases {
            assert_eq!(case["end"], "error", "{document:#}");
            assert_ne!(case["message"], "");
        }
        assert!(!document.to_string().contains("secret"), "{document:#}");
    }
}

#[test]
fn the_report_is_printed_as_text_if_the_document_goes_to_a_file() {
    let server = node();
    let folder = folder();
    let file = folder.join("report.json");
    let output = probe(&[
        &url(&server, "/blocking"),
        &format!("--json={}", file.display()),
    ]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("█") && !text.contains('{'), "{text}");
    let document = fs::read_to_string(&file).expect("it is written");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    holdup_testkit::schema::check_probe(&document);
    fs::remove_dir_all(folder).ok();
}
