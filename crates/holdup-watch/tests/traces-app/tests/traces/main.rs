//! Two replicas export their spans. One asks the other, which is blocked by one request and holds up another one. What
//! the receiver gets says so in the right spans of the right traces.

mod receiver;
mod replica;

use std::path::Path;
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;

use receiver::{PATIENCE, Receiver, hex, texts, values};
use replica::Replica;

/// The span of each client.
const CLIENT: &str = "00000000000000aa";

/// How often the back replica is blocked at most, until the line that blocks is known. The first time, the line tables
/// have to be read, which may take longer than a hold waits for its lines.
const ROUNDS: u32 = 10;

/// Asks for a path, in a trace.
fn ask(url: String, trace: &str) -> thread::JoinHandle<String> {
    let parent = format!("00-{trace}-{CLIENT}-01");
    thread::spawn(move || {
        let client = reqwest::blocking::Client::new();
        let request = client.get(url).timeout(PATIENCE);
        let request = request.header("traceparent", parent);
        let answer = request.send().expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        answer.text().expect("a body")
    })
}

/// The events with a name in a span. A busy machine holds up every request for a while, so other events may be there.
fn events<'a>(span: &'a Span, name: &str) -> Vec<&'a Event> {
    let events = span.events.iter();
    events.filter(|event| event.name == name).collect()
}

fn number(event: &Event, name: &str) -> f64 {
    match values(&event.attributes).get(name) {
        Some(Value::DoubleValue(number)) => *number,
        other => panic!("{name} is {other:?} in {event:#?}"),
    }
}

fn whole(event: &Event, name: &str) -> i64 {
    match values(&event.attributes).get(name) {
        Some(Value::IntValue(number)) => *number,
        other => panic!("{name} is {other:?} in {event:#?}"),
    }
}

/// The line of the handlers that blocks, counted from 1.
fn line_that_blocks() -> i64 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/handlers.rs");
    let source = std::fs::read_to_string(path).expect("the source");
    let mut lines = source.lines();
    let index = lines.position(|line| line.ends_with("// the line that blocks"));
    i64::try_from(index.expect("it is marked") + 1).expect("a short file")
}

/// Has `front` ask `back` for a path that blocks it, and for one that is held up. Checks both traces.
fn check(path: &str, kind: &str, part: &str, middleware: &str) {
    let (receiver, address) = Receiver::start();
    let back = Replica::start("back", &address, middleware, "");
    let front = Replica::start("front", &address, middleware, &back.address);
    for round in 0..ROUNDS {
        // Two clients, each with a trace of its own.
        let traces = [1, 2].map(|client| format!("{client:028x}{round:04x}"));
        let victim = ask(format!("{}/ask/coroutine", front.address), &traces[1]);
        let culprit = ask(format!("{}/ask/{path}", front.address), &traces[0]);
        victim.join().expect("an answer");
        culprit.join().expect("an answer");
        let is_line_known = check_traces(&receiver, &traces, path, [kind, part]);
        if is_line_known {
            return;
        }
    }
    panic!("the line that blocks is not known after {ROUNDS} rounds");
}

/// Checks what was received of the culprit's trace, and of the victim's. Returns whether the line that blocks is known.
fn check_traces(
    receiver: &Receiver,
    traces: &[String; 2],
    path: &str,
    [kind, part]: [&str; 2],
) -> bool {
    // In front there is the client's request, and below that the one in the back.
    let spans = traces.each_ref().map(|trace| {
        let (front, back) = (receiver.span("front", trace), receiver.span("back", trace));
        assert_eq!(hex(&front.parent_span_id), CLIENT);
        assert_eq!(back.parent_span_id, front.span_id);
        assert!(
            events(&front, "holdup.hold").is_empty() && front.links.is_empty(),
            "{front:#?}"
        );
        back
    });
    let [culprit, victim] = &spans;

    let [held] = events(culprit, "holdup.hold")[..] else {
        panic!("one event: {culprit:#?}");
    };
    assert!(events(victim, "holdup.hold").is_empty(), "{victim:#?}");
    let duration = number(held, "holdup.duration");
    assert!(duration > 1.0, "{held:#?}");
    assert!(number(held, "holdup.busy") > 1.0, "{held:#?}");
    assert!(number(held, "holdup.computing") < 0.6, "{held:#?}");
    assert!(whole(held, "holdup.polls") >= 1, "{held:#?}");
    assert_eq!(whole(held, "holdup.worker"), 0);
    let said = texts(&held.attributes);
    let route = format!("GET /{path}");
    assert_eq!(said["holdup.kind"], kind);
    assert_eq!(said["holdup.route"], route);
    assert_eq!(said["holdup.part"], part);
    let is_line_known = said.contains_key("code.function.name");
    if is_line_known {
        assert_eq!(said["code.function.name"], "traces::handlers::block");
        assert_eq!(said["code.file.path"], "src/handlers.rs");
        assert_eq!(whole(held, "code.line.number"), line_that_blocks());
    }
    let begins = format!("{route} ({part}, ");
    assert!(said["holdup.summary"].starts_with(&begins), "{held:#?}");
    assert!(culprit.links.is_empty(), "{culprit:#?}");
    // The span was kept open until the event was written, but that is not part of its time.
    assert!(
        culprit.end_time_unix_nano <= held.time_unix_nano,
        "{culprit:#?}"
    );

    let [held_up] = events(victim, "holdup.held_up")[..] else {
        panic!("one event: {victim:#?}");
    };
    assert!(number(held_up, "holdup.duration") > 0.8, "{held_up:#?}");
    assert!(number(held_up, "holdup.by.duration") > 0.8, "{held_up:#?}");
    let said = texts(&held_up.attributes);
    assert_eq!(said["holdup.route"], "GET /coroutine");
    assert_eq!(said["holdup.by.route"], route);
    let [link] = &victim.links[..] else {
        panic!("one link: {victim:#?}");
    };
    assert_eq!(hex(&link.trace_id), traces[0]);
    assert_eq!(link.span_id, culprit.span_id);
    is_line_known
}

#[test]
fn a_request_that_blocks_in_its_last_poll_says_so_and_whom_it_holds_up_leads_to_it() {
    check("blocking", "blocked", "future", "tracing-actix-web");
}

#[test]
fn a_body_that_blocks_in_its_last_poll_says_so() {
    check("body", "blocked", "body", "tracing-actix-web");
}

#[test]
fn a_span_of_the_apps_own_middleware_will_do() {
    check("blocking", "blocked", "future", "own");
}

#[test]
fn a_request_that_starves_the_loop_in_short_polls_says_so() {
    check("starving", "starved", "future", "tracing-actix-web");
}
