//! `--expect`, and options that do not fit together.

use holdup_testkit::external::{External, contrasts, node};

use super::{REPEATS, probe, url};

/// As [`expected`], once noise did not make the verdict inconclusive.
fn expected_when_quiet(server: &External, path: &str, list: &str) -> (Option<i32>, String) {
    let mut found = expected(server, path, list, &[]);
    for _ in 0..REPEATS {
        if !found.1.contains("is inconclusive") {
            break;
        }
        found = expected(server, path, list, &[]);
    }
    found
}

/// The exit code and the error output.
fn expected(server: &External, path: &str, list: &str, more: &[&str]) -> (Option<i32>, String) {
    let url = url(server, path);
    let output = probe(&[&[url.as_str(), "--json", "--expect", list], more].concat());
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code(), error)
}

#[test]
fn all_that_is_expected_has_to_hold() {
    let server = contrasts();
    for (path, list, code, told) in [
        ("/plain", "concurrent,single", 0, &[][..]),
        ("/narrow/plain", "limited=2, single", 0, &[]),
        (
            "/narrow/plain",
            "limited=3",
            1,
            &["holdup: expected limited=3, but 2 ran at a time"],
        ),
        (
            "/plain",
            "limited=3",
            1,
            &["holdup: expected limited=3, but the verdict is concurrent"],
        ),
        (
            "/stream",
            "concurrent,buffered",
            1,
            &["holdup: expected buffered, but the answer is streamed"],
        ),
        (
            "/plain",
            "serialized,streamed",
            1,
            &[
                "holdup: expected serialized, but the verdict is concurrent",
                "holdup: expected streamed, but the answer is in one piece (single)",
            ],
        ),
    ] {
        let (found, error) = expected_when_quiet(&server, path, list);
        assert_eq!(found, Some(code), "{path} {list}: {error}");
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines, told, "{path} {list}");
    }
}

#[test]
fn what_cannot_be_told_is_no_failure_unless_something_else_fails() {
    let server = node();
    let (code, error) = expected(&server, "/missing", "concurrent", &[]);
    assert_eq!(code, Some(3), "{error}");
    let told = "holdup: expected concurrent, which cannot be told: the verdict is inconclusive: the \
                single (baseline) request got status 404";
    assert!(error.starts_with(told), "{error}");

    // The delivery of /timer is known, and it is not this one.
    let list = "one-connection=concurrent,streamed";
    let (code, error) = expected(&server, "/timer", list, &["--http2"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("expected streamed, but"), "{error}");
}

#[test]
fn options_that_do_not_fit_together_are_refused_in_one_sentence() {
    for (arguments, told) in [
        (
            &["--cookie-contrast"][..],
            "--cookie-contrast needs a cookie or credential to leave out: give one with -H 'Cookie: …'",
        ),
        (
            &["--cookie-contrast", "-H", "Cookie: id={}"],
            "leave {} out of it",
        ),
        (
            &["--expect", "beside=untouched"],
            "--expect beside=untouched needs --beside URL",
        ),
        (
            &["--expect", "one-connection=concurrent"],
            "needs --http2, or a URL that begins with https://",
        ),
        (&["--expect", "concurrent,limited"], "cannot both hold"),
        (
            &["--expect", "limited=8"],
            "--expect limited=8 needs --limit, or -n 10 or more; 4 requests at once (-n) cannot show it",
        ),
        (
            &["--expect", "limited=8", "--limit", "--max", "16"],
            "--expect limited=8 needs --max 17 or more; 16 requests at once (--max) cannot confirm it",
        ),
        (
            &["--max", "64"],
            "--max is the most requests that --limit sends",
        ),
        (
            &["--limit", "--max", "3"],
            "--max is 3, but must be at least",
        ),
        (&["--http1", "--http2"], "--http1 sends nothing over HTTP/2"),
        (&["--beside", "ftp://h"], "--beside: "),
        (&["--versus", "http://"], "--versus: "),
        (
            &["--beside", "http://localhost:1/"],
            "--beside http://localhost:1/ is the URL that is measured",
        ),
        (
            &["--versus", "localhost:1"],
            "--versus http://localhost:1/ is the URL that is measured",
        ),
    ] {
        let output = probe(&[&["localhost:1"], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(output.stdout.is_empty());
    }
}
