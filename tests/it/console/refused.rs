//! Requests that the console refuses, and its answers to them.

use std::time::Duration;

use rustix::process::Signal;

use super::*;
use crate::server::Server;

#[test]
fn other_sites_can_neither_read_nor_start_anything() {
    let server = Server::start(&[]);
    let console = server.console();
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8081",
    ] {
        let request = format!("GET /state HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let reply = send(console, request.as_bytes()).expect("an answer");
        assert_eq!(reply.status, 403, "{host}");
        assert!(reply.rest().contains("another site"), "{host}");
    }
    let good = r#"{"button":1,"requests":2,"from":1,"period":"50ms"}"#;
    for header in [
        "Origin: http://evil.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        format!("Origin: http://{}\r\n", server.address),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
    ] {
        let (status, problem) = order(console, &format!("{JSON}{header}"), good);
        assert_eq!(status, 403, "{header}");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains("another site's page"), "{detail}");
        let stop = format!("DELETE /probe HTTP/1.1\r\nHost: {console}\r\n{header}\r\n");
        assert_eq!(
            send(console, stop.as_bytes()).expect("an answer").status,
            403
        );
    }
    assert_eq!(state(console)["probe"], Value::Null, "nothing was started");
    let reply = get(console, "/");
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
    let policy = &reply.headers["content-security-policy"];
    let lab = format!(
        "connect-src 'self' http://127.0.0.1:{};",
        server.address.port()
    );
    assert!(
        policy.starts_with("default-src 'none';") && policy.contains(&lab),
        "{policy}"
    );
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
}

#[test]
fn a_refused_order_names_what_is_allowed() {
    let server = Server::start(&[]);
    let console = server.console();
    for (body, told) in [
        ("", "the body cannot be used"),
        ("[]", "the body cannot be used"),
        (r#"{"requests":2}"#, "missing field `button`"),
        (
            r#"{"button":1,"requests":2,"url":"http://evil/"}"#,
            "unknown field `url`",
        ),
        (r#"{"button":-1,"requests":2}"#, "the body cannot be used"),
        (
            r#"{"button":4,"requests":2}"#,
            "button is \"4\"; allowed: 0 to 3",
        ),
        (
            r#"{"button":0,"requests":1}"#,
            "requests is \"1\"; allowed: 2 to 16",
        ),
        (
            r#"{"button":0,"requests":17}"#,
            "requests is \"17\"; allowed: 2 to 16",
        ),
        (
            r#"{"button":0,"requests":2,"from":0}"#,
            "from is \"0\"; allowed: 1 to 20",
        ),
        (
            r#"{"button":0,"requests":2,"period":"3s"}"#,
            "period is \"3s\"; allowed: 50ms to 2s",
        ),
        (
            r#"{"button":0,"requests":2,"period":"soon"}"#,
            "period is \"soon\"; allowed: 50ms to 2s",
        ),
        (
            r#"{"button":0,"requests":16,"from":20,"period":"2s"}"#,
            "at most 60 s",
        ),
    ] {
        let (status, problem) = order(console, JSON, body);
        assert_eq!(status, 400, "{body}");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(told), "{body}: {detail}");
    }
    assert_eq!(order(console, "", r#"{"button":1,"requests":2}"#).0, 415);
    let long = format!("{{\"button\":{}", " ".repeat(10_000));
    assert_eq!(order(console, JSON, &long).0, 413);
    assert_eq!(get(console, "/nowhere").status, 404);
    let posted = send(
        console,
        format!("POST /state HTTP/1.1\r\nHost: {console}\r\n\r\n").as_bytes(),
    );
    let posted = posted.expect("an answer");
    assert_eq!(
        (posted.status, posted.headers["allow"].as_str()),
        (405, "GET")
    );
    assert_eq!(state(console)["probe"], Value::Null, "nothing was started");
}

#[test]
fn one_probe_at_a_time_and_it_can_be_stopped() {
    let server = Server::start(&[]);
    let console = server.console();
    let mut events = Events::read(console);
    let long = r#"{"button":1,"requests":2,"from":20,"period":"1s"}"#;
    assert_eq!(
        order(console, JSON, long),
        (202, serde_json::json!({"id": 1}))
    );
    let (status, problem) = order(console, JSON, long);
    assert_eq!(status, 409);
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| text.contains("a probe is running"))
    );
    events.until("it runs", |m| is(m, "probe") && m["state"] == "running");
    let own = format!("Origin: http://{console}\r\nSec-Fetch-Site: same-origin\r\n");
    let stop = format!("DELETE /probe HTTP/1.1\r\nHost: {console}\r\n{own}\r\n");
    assert_eq!(
        send(console, stop.as_bytes()).expect("an answer").status,
        204
    );
    events.until("it is stopped", |m| {
        is(m, "probe") && m["state"] == "stopped"
    });

    let short = r#"{"button":0,"requests":2,"from":3,"period":"100ms"}"#;
    // The probe is repeated when its verdict is inconclusive, on a busy machine. A wrong verdict
    // fails at once.
    let mut probe = || {
        let (status, started) = order(console, &format!("{JSON}{own}"), short);
        assert_eq!(status, 202);
        events.until("its verdict", |m| {
            is(m, "probe") && m["id"] == started["id"] && m["state"] == "done"
        })
    };
    let mut done = probe();
    for _ in 0..2 {
        if done["findings"]["verdict"] == "inconclusive" {
            done = probe();
        }
    }
    assert_eq!(done["findings"]["verdict"], "serialized", "{done}");
    assert_eq!(done["lanes"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_probe_does_not_keep_the_lab_from_stopping() {
    let mut server = Server::start(&["--grace", "5m"]);
    let console = server.console();
    let mut events = Events::read(console);
    // The probe would take more than a minute.
    let long = r#"{"button":1,"requests":2,"from":20,"period":"1s"}"#;
    assert_eq!(order(console, JSON, long).0, 202);
    events.until("it asks", |m| is(m, "opened"));
    let asked = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(0));
    assert!(
        asked.elapsed() < Duration::from_secs(15),
        "{:?}",
        asked.elapsed()
    );
}
