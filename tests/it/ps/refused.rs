//! What is no console, or none that lists requests.

use std::net::TcpListener;

use holdup_testkit::odd::{serve, serve_paths, write};
use serde_json::{Value, json};

use super::{ps, shown};
use crate::server::Server;

/// The only line of the error.
#[track_caller]
fn error(arguments: &[&str]) -> String {
    let output = ps(arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(text.lines().count(), 1, "{text}");
    let error = text.trim_end().strip_prefix("holdup: ");
    error.unwrap_or_else(|| panic!("{text}")).to_owned()
}

pub(super) fn answer(document: &Value) -> String {
    let body = document.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

const MISSING: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

#[test]
fn what_cannot_be_read_is_one_sentence_that_names_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    drop(listener);
    let refused = error(&[&address]);
    assert!(
        refused.starts_with(&format!(
            "the console at http://{address}/ cannot be read: connection refused; "
        )),
        "{refused}"
    );

    let lab = Server::start(&[]);
    let app = lab.address.to_string();
    let none = error(&[&app]);
    assert!(
        none.starts_with(&format!("http://{app}/ is not a console of holdup: ")),
        "{none}"
    );
    assert!(none.contains("not that of the app"), "{none}");

    let silent = serve(|stream, _| {
        let mut stream = &stream;
        std::io::copy(&mut stream, &mut std::io::sink()).ok();
    });
    let late = error(&[&silent.to_string(), "--timeout=200ms"]);
    assert!(
        late.contains("timed out") && late.contains("--timeout"),
        "{late}"
    );

    let scheme = error(&["ftp://localhost"]);
    assert!(scheme.contains("the scheme ftp"), "{scheme}");
    let secret = error(&["http://user:secret@localhost:1"]);
    assert!(
        secret.contains("leave them out") && !secret.contains("secret"),
        "{secret}"
    );
}

#[test]
fn a_console_of_an_older_version_is_named_as_such() {
    let address = serve_paths(|stream, path| {
        let state = answer(&json!({ "event": "snapshot", "schema": 1 }));
        let is_state = path == "/state";
        write(&stream, if is_state { &state } else { MISSING });
    });
    for (arguments, page) in [(&[][..], "/requests"), (&["--group"], "/waits")] {
        let address = address.to_string();
        let arguments = [&[address.as_str()], arguments].concat();
        assert_eq!(
            error(&arguments),
            format!(
                "the console at http://{address}/ has no {page}, because its app uses an older version of \
                 holdup; update holdup-watch and holdup-console in the app"
            )
        );
    }
    // Behind a path of an app that answers every other path with a page.
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\n.";
    let app = serve_paths(move |stream, path| {
        let state = answer(&json!({ "event": "snapshot", "schema": 1 }));
        let answer = match path.strip_prefix("/console/") {
            Some("state") => &state,
            Some(_) => MISSING,
            None => page,
        };
        write(&stream, answer);
    });
    let below = error(&[&format!("{app}/console/")]);
    assert!(
        below.starts_with(&format!(
            "the console at http://{app}/console/ has no /requests, because "
        )),
        "{below}"
    );
    let later = serve_paths(|stream, _| _ = write(&stream, answer(&json!({ "schema": 2 }))));
    let later = error(&[&later.to_string()]);
    assert!(
        later.contains("of version 2, but only version 1 can be read"),
        "{later}"
    );
}

#[test]
fn text_of_a_console_controls_no_terminal() {
    let evil = "/\u{1b}[2J\u{9b}31m\r\n";
    let document = json!({ "schema": 1, "now_ms": 0, "more": 0, "requests": [{
        "number": 1, "lane": null, "worker": 0, "method": "GET", "route": evil, "age_ms": 1e300,
        "held_up_ms": 0, "behind": evil, "state": "waiting", "since_ms": 0,
        "at": [{ "line": null, "in": evil, "stack": [evil] }],
    }] });
    let body = answer(&document);
    let address = serve_paths(move |stream, _| _ = write(&stream, &body)).to_string();
    for arguments in [&[address.as_str()][..], &[&address, "--json"]] {
        let text = shown(arguments);
        let is_control = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(is_control), "{text:?}");
    }
    let passed_on: Value = serde_json::from_str(&shown(&[&address, "--json"])).expect("JSON");
    assert_eq!(passed_on, document);
}

#[test]
fn wrong_usage_is_named_with_what_is_allowed() {
    for (arguments, told) in [
        (&["localhost:1", "--watch=0"][..], "from 0.1 to 86400"),
        (&["localhost:1", "--watch=-1"], "from 0.1 to 86400"),
        (&["localhost:1", "--watch=1e300"], "from 0.1 to 86400"),
        (
            &["--watch", "localhost:8081"],
            "write the URL before --watch",
        ),
        (&["localhost:1", "--timeout=0s"], "at least 1ms"),
        (&["localhost:1", "--color=red"], "auto, always, never"),
        (&[], "<URL>"),
    ] {
        let output = ps(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}

#[test]
fn the_help_has_an_example_and_the_exit_codes() {
    let help = shown(&["--help"]);
    for part in [
        "$ holdup ps localhost:8081\n",
        "held up by GET /blocking",
        "--group",
        "--watch [<SECONDS>]",
        "or unknown (it changed too fast to be read)",
        "The exit code is 0",
        "It is 1 if something else fails",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let all = std::process::Command::new(env!("CARGO_BIN_EXE_holdup"))
        .arg("--help")
        .output()
        .expect("holdup runs");
    let all = String::from_utf8_lossy(&all.stdout).into_owned();
    assert!(all.contains("\n  ps "), "{all}");
}
