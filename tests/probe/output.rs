//! What the program prints and writes, and its exit codes.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use holdup_testkit::external::folder;
use serde_json::Value;

use super::{External, REPEATS, http_server, json, node, probe, url};
use crate::server::Server;

#[test]
fn the_picture_the_verdict_the_evidence_and_the_advice_are_printed() {
    let server = node();
    let output = probe(&[&url(&server, "/blocking")]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let at = |part: &str| {
        text.find(part)
            .unwrap_or_else(|| panic!("no {part:?}: {text}"))
    };
    let order = [
        at("/blocking\n"),
        at("█"),
        at("· waiting  | first byte"),
        at("Serialized: the 4 requests ran one at a time"),
        at("- alone: "),
        at("- k = 4 × alone ÷ at once = "),
        at("In one piece"),
        at("What to do:"),
        at("three cures"),
        at("accept"),
        // The contrast that would tell which of them it is.
        at("--beside URL"),
    ];
    assert!(order.is_sorted(), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    let width = text.lines().map(|line| line.chars().count()).max();
    assert!(width <= Some(80), "{text}");
}

#[test]
fn the_exit_code_is_as_expected_or_not() {
    let server = node();
    let quick = url(&server, "/quick");
    for (path, expect, code) in [
        ("/timer", "concurrent", 0),
        ("/timer", "limited", 1),
        ("/blocking", "serialized", 0),
        ("/blocking", "concurrent", 1),
    ] {
        let output = probe(&[&url(&server, path), "--expect", expect, "-n3"]);
        assert_eq!(output.status.code(), Some(code), "{path} {expect}");
    }
    let output = probe(&[&quick, "--expect=concurrent"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(probe(&[&quick]).status.code(), Some(3));
}

#[test]
fn wrong_usage_says_what_is_allowed() {
    for (arguments, told) in [
        (&["ftp://localhost"][..], "allowed: http, https"),
        (&["http://"], "empty host"),
        (&["http://me:secret@localhost"], "Authorization"),
        (&["localhost", "-n1"], "2..=1000"),
        (&["localhost", "-n", "many"], "invalid digit"),
        (&["localhost", "--timeout", "5"], "such as 250ms, 1s or 2m"),
        (&["localhost", "--timeout", "0s"], "use at least 1ms"),
        (&["localhost", "--timeout", "999us"], "use at least 1ms"),
        (&["localhost", "--for", "1ns"], "use at least 1ms"),
        (
            &["localhost", "--expect", "fast"],
            "concurrent, serialized, limited",
        ),
        (&["localhost", "--color", "red"], "auto, always, never"),
        (&["localhost", "-X", "GET IT"], "use a word such as GET"),
        (&["localhost", "-H", "nonsense"], "'Name: value'"),
        (
            &["localhost", "-H", "Connection: close"],
            "the prober sets it",
        ),
        (&[], "<URL>"),
    ] {
        let output = probe(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
        assert!(!error.contains("secret"), "{error}");
        assert!(output.stdout.is_empty());
    }
}

/// Probes with these soft and hard limits on open files.
fn limited(soft: u32, hard: u32, arguments: &[&str]) -> Output {
    let script = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" probe \"$@\"");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_holdup")])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("sh runs")
}

#[test]
fn the_limit_on_open_files_is_raised_and_more_than_it_allows_is_refused() {
    let server = node();
    let url = url(&server, "/timer");
    let folder = folder();
    let file = |option, name| format!("--{option}={}", folder.join(name).display());
    let (svg, junit) = (file("svg", "picture.svg"), file("junit", "junit.xml"));
    let output = limited(30, 116, &[&url, "-n100", "--json", &svg, &junit]);
    fs::remove_dir_all(folder).ok();
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let lanes = &document["phases"][1]["lanes"];
    let lanes = lanes.as_array().expect("all at once");
    assert_eq!(lanes.len(), 100);
    assert!(lanes.iter().all(|lane| lane["status"] == 200), "{lanes:#?}");

    let output = limited(30, 116, &[&url, "-n101"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    let told = "-n is 101, but the limit of 116 open files leaves room for 100; raise that limit \
                (ulimit -n), or ask for fewer";
    assert!(error.contains(told), "{error}");
    assert!(output.stdout.is_empty());

    // A bystander needs connections, too.
    let output = limited(30, 116, &[&url, "-n100", "--beside", &format!("{url}?b")]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    let told = "-n is 100, but the limit of 116 open files leaves room for 28; ";
    assert!(error.contains(told), "{error}");
}

#[test]
fn colours_are_shown_when_asked_for_and_the_picture_is_written() {
    let server = Server::start(&["--workers=1"]);
    let folder = folder();
    let file = folder.join("picture.svg");
    let stream = format!("{}/coroutine?from=3&period=100ms", server.address);
    let svg = format!("--svg={}", file.display());
    let mut picture = String::new();
    // A busy machine may make it inconclusive.
    for _ in 0..=REPEATS {
        let output = probe(&[&stream, "--color=always", &svg]);
        assert!(output.stdout.contains(&b'\x1b'));
        picture = fs::read_to_string(&file).expect("it is written");
        if !picture.contains("Inconclusive: ") {
            break;
        }
    }
    assert!(picture.starts_with("<svg") && picture.contains("Concurrent: all 4"));
    fs::remove_dir_all(folder).ok();
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_anything_is_measured() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    server.set_nonblocking(true).expect("it is a socket");
    let url = server.local_addr().expect("bound").to_string();
    let folder = folder();
    let file = |name: &str| folder.join(name).display().to_string();
    fs::write(file("old"), "what it had").expect("written");
    for (measured, options) in [
        (&["-n4"][..], &["--svg", "--json", "--junit"][..]),
        (&["--spread=10"], &["--json", "--junit"]),
    ] {
        for option in options {
            for (path, why) in [
                (file("no/such/file"), "No such file or directory"),
                (file(""), "Is a directory"),
            ] {
                let mut arguments = vec![url.clone(), format!("{option}={path}")];
                arguments.extend(measured.iter().map(|&given| given.to_owned()));
                for other in options.iter().filter(|other| *other != option) {
                    let name = if *other == "--json" { "new" } else { "old" };
                    arguments.push(format!("{other}={}", file(name)));
                }
                let output = probe(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
                let error = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
                let told = format!("holdup: {option}: cannot write {path}: {why}");
                assert!(error.starts_with(&told), "{arguments:?}: {error}");
                assert!(output.stdout.is_empty());
                // What is wrong is in the JUnit document, if that is another file.
                let old = fs::read_to_string(file("old")).expect("it is still there");
                if *option == "--junit" {
                    assert_eq!(old, "what it had");
                } else {
                    assert!(old.contains("cannot write"), "{old}");
                    fs::write(file("old"), "what it had").expect("written");
                }
                assert!(!folder.join("new").exists(), "nothing is in it");
            }
        }
    }
    let asked = server.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(asked, Err(ErrorKind::WouldBlock));
    fs::remove_dir_all(folder).ok();
}

#[test]
fn what_cannot_be_written_in_the_end_loses_nothing_else_and_is_no_verdict() {
    let server = node();
    let folder = folder();
    let names = ["picture.svg", "report.json", "junit.xml"];
    let files = names.map(|name| folder.join(name));
    let options = ["--svg", "--json", "--junit"];
    // Each of them, and then stdout.
    for full in 0..=options.len() {
        // Longer than what is written.
        for file in &files {
            fs::write(file, "what it had ".repeat(10_000)).expect("written");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdup"));
        command.args(["probe", &url(&server, "/blocking"), "-n2"]);
        for (index, option) in options.iter().enumerate() {
            let file = match &files[index] {
                _ if index == full => Path::new("/dev/full"),
                file => file,
            };
            command.arg(format!("{option}={}", file.display()));
        }
        if full == options.len() {
            let device = fs::OpenOptions::new().write(true).open("/dev/full");
            command.stdout(device.expect("a full device"));
        }
        let output = command.output().expect("holdup runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{error}");
        let what = match options.get(full) {
            Some(_) => "/dev/full",
            None => "the report to stdout",
        };
        assert_eq!(
            error,
            format!("holdup: cannot write {what}: No space left on device (os error 28)\n")
        );
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.contains("What to do:"), full < options.len(), "{text}");
        for (index, file) in files.iter().enumerate() {
            let written = fs::read_to_string(file).expect("it is there");
            let had = written.contains("what it had");
            assert_eq!(had, index == full, "{}: {written}", file.display());
        }
        if full != 1 {
            let report = fs::read(&files[1]).expect("it is written");
            let report: Value = serde_json::from_slice(&report).expect("JSON");
            assert_ne!(report["verdict"], Value::Null);
        }
    }
    fs::remove_dir_all(folder).ok();
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    let server = node();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_holdup"))
        .args(["probe", &url(&server, "/timer")])
        .stdout(writer)
        .stderr(Stdio::inherit())
        .status()
        .expect("holdup runs");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_closed_error_pipe_loses_neither_the_verdict_nor_a_file() {
    let server = node();
    let folder = folder();
    let file = folder.join("junit.xml");
    let beside = url(&server, "/quick");
    // Each says something before the start, and what does not hold at the end. A busy machine may make the first
    // one inconclusive.
    for (path, arguments, codes) in [
        (
            "/blocking",
            ["-n2", "--beside", &beside, "--expect=concurrent"],
            [1, 3],
        ),
        (
            "/timer",
            [
                "-n2",
                "--spread=10",
                "--id-header=x",
                "--expect=spread=even",
            ],
            [3, 3],
        ),
    ] {
        let (reader, closed) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_holdup"))
            .args(["probe", &url(&server, path), "--junit"])
            .arg(&file)
            .args(arguments)
            .stderr(closed)
            .output()
            .expect("holdup runs");
        let code = output.status.code().expect("no signal");
        assert!(codes.contains(&code), "{code} {output:?}");
        assert!(!output.stdout.is_empty());
        assert!(fs::read_to_string(&file).is_ok_and(|text| text.contains(path)));
        fs::remove_file(&file).expect("it is written");
    }
    fs::remove_dir_all(folder).ok();
}

#[test]
fn method_headers_and_body_are_sent() {
    let server = http_server(&["HTTPServer"]);
    let echo = url(&server, "/echo?status=POST-abc-5");
    let arguments = [&echo, "-H", "Secret: abc", "-d", "body\n"];
    // The server succeeds only if it received all three.
    let document = json(&arguments);
    assert_eq!(document["verdict"], "serialized", "{document:#}");
    let document = json(&arguments[..1]);
    assert_eq!(document["verdict"], "inconclusive", "{document:#}");
}

#[test]
fn a_certificate_that_does_not_verify_is_inconclusive_unless_that_is_allowed() {
    let folder = folder();
    // An authority's certificate, which openssl makes by default, and a server's.
    for kind in ["CA:TRUE", "CA:FALSE"] {
        let (server, _) = self_signed(&folder, kind);
        let document = json(&[&format!("https://{}/", server.address)]);
        let reason = document["reason"].as_str().expect("a reason");
        let told = "the certificate does not verify: it is self-signed";
        assert!(reason.contains(told), "{reason}");
        assert!(reason.contains("--insecure"), "{reason}");
        assert_eq!(document["verdict"], "inconclusive");
    }

    let (server, certificate) = self_signed(&folder, "CA:FALSE");
    let url = format!("https://{}/", server.address);
    assert_eq!(json(&[&url, "--insecure"])["verdict"], "concurrent");

    let known = Command::new(env!("CARGO_BIN_EXE_holdup"))
        .args(["probe", &url, "--expect=concurrent"])
        .env("SSL_CERT_FILE", &certificate)
        .output()
        .expect("holdup runs");
    assert_eq!(known.status.code(), Some(0), "{known:?}");

    // A plain server on the other end.
    let plain = node();
    let document = json(&[&format!("https://{}/timer", plain.address)]);
    let reason = document["reason"].as_str().expect("a reason");
    assert!(reason.contains("no TLS"), "{reason}");
    fs::remove_dir_all(folder).ok();
}

/// Python's own server with a certificate that only it knows, and that certificate's file.
fn self_signed(folder: &Path, kind: &str) -> (External, PathBuf) {
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args([
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-subj",
            "/CN=holdup test",
        ])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args([
            "-addext",
            &format!("basicConstraints=critical,{kind}"),
            "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs; scripts/test installs it");
    assert!(made.status.success(), "{made:?}");
    let paths = [&certificate, &key].map(|path| path.display().to_string());
    let server = http_server(&["ThreadingHTTPServer", &paths[0], &paths[1]]);
    (server, certificate)
}
