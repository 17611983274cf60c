//! What the console publishes follows `schema/events.schema.json`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::thread;

use holdup_testkit::schema::{EVENTS, PROBE, event_fault, event_names, validator};
use serde_json::json;

use super::*;
use crate::server::Server;

/// Each message is checked when it is read, so this test only has to produce every kind of message.
#[test]
fn every_message_of_live_traffic_follows_its_schema() {
    let server = Server::start(&[]);
    let (lab, console) = (server.address, server.console());
    let own = format!("Origin: http://{console}\r\nSec-Fetch-Site: same-origin\r\n");
    let mut events = Events::read(console);
    let seen = RefCell::new(BTreeSet::new());
    let mut until = |what: &str, wanted: &dyn Fn(&Value) -> bool| {
        events.until(what, |message| {
            let name = message["event"].as_str().unwrap_or("");
            seen.borrow_mut().insert(name.to_owned());
            wanted(message)
        })
    };
    let count = |list: &Value| list.as_array().map(Vec::len);

    // One coroutine countdown that its client leaves, and one that finishes.
    let mut left = get(lab, "/coroutine?from=600&period=50ms&x=left");
    left.tick().expect("it has begun");
    until("its chunks", &|m| is(m, "chunks"));
    until("what it does", &|m| {
        is(m, "doing") && count(&m["lanes"]) == Some(1)
    });
    drop(left);
    until("the client has left", &|m| {
        is(m, "ended") && m["finished_ms"].is_null()
    });
    assert_eq!(get(lab, "/coroutine?from=2&period=50ms").ticks().len(), 3);
    until("it has finished", &|m| {
        is(m, "ended") && m["finished_ms"].is_number()
    });

    // One blocking countdown, and a second one behind it that waits to be read.
    let mut first = get(lab, "/blocking?from=8&period=250ms&x=1");
    first.tick().expect("the worker has it");
    let second = thread::spawn(move || get(lab, "/blocking?from=1&period=50ms&x=2").ticks());
    until("the worker is held", &|m| is(m, "held"));
    until("the second waits", &|m| {
        is(m, "waiting") && count(&m["waiting"]) == Some(1)
    });
    let during = state(console);
    assert!(during["workers"][0]["held"]["sentence"].is_string());
    assert_eq!(count(&during["waiting"]), Some(1), "{during}");
    assert_eq!(first.ticks().len(), 8);
    assert_eq!(second.join().expect("ticks").len(), 2);
    until("it is free again", &|m| is(m, "released"));

    // A probe, with all of its messages.
    let body = r#"{"button":0,"requests":2,"from":2,"period":"100ms"}"#;
    let (status, _) = order(console, &format!("{JSON}{own}"), body);
    assert_eq!(status, 202);
    let running = until("it runs", &|m| {
        is(m, "probe") && m["state"] == "running" && count(&m["lanes"]) > Some(0)
    });
    assert!(running["findings"].is_null());
    let done = until("its end", &|m| is(m, "probe") && m["state"] == "done");
    assert!(done["findings"]["sentence"].is_string(), "{done}");

    // More lanes than are shown.
    for n in 0..110 {
        assert_eq!(get(lab, &format!("/nowhere?x={n}")).status, 404);
    }
    until("some are dropped", &|m| is(m, "dropped"));
    until("the time", &|m| is(m, "now"));
    let after = state(console);
    for part in ["lanes", "holds", "workers", "buttons"] {
        assert!(count(&after[part]) > Some(0), "{part}: {after}");
    }
    assert!(after["probe"]["findings"].is_object(), "{after}");

    // `behind` is checked by the test of a reader that falls behind, and `replay` by that of a record.
    // A hold is withdrawn only by chance.
    let seen = seen.into_inner();
    let all: BTreeSet<_> = event_names().into_iter().collect();
    let missing: Vec<_> = all
        .difference(&seen)
        .filter(|name| *name != "withdrawn")
        .collect();
    assert_eq!(missing, ["behind", "replay"]);
}

type Change<'a> = &'a dyn Fn(&mut Value);

#[test]
fn messages_outside_the_schema_fail() {
    let server = Server::start(&[]);
    let snapshot = Events::read(server.console()).next().expect("a message");
    let changed = |change: Change<'_>| {
        let mut message = snapshot.clone();
        change(&mut message);
        message
    };
    assert_eq!(event_fault(&snapshot), None);
    let wrong: [(&str, Change<'_>); 6] = [
        ("a message that is unknown", &|m| {
            m["event"] = json!("frozen");
        }),
        ("no name", &|m| m["event"] = Value::Null),
        ("another version", &|m| m["schema"] = json!(2)),
        ("a field that is missing", &|m| {
            m.as_object_mut().expect("an object").remove("totals");
        }),
        ("a field of another type", &|m| {
            m["limits"]["lanes"] = json!("many");
        }),
        ("a field that is not described", &|m| {
            m["totals"]["walks"] = json!(1);
        }),
    ];
    for (what, change) in wrong {
        assert!(event_fault(&changed(change)).is_some(), "{what}");
    }
    // A reader that uses the published schema accepts the last one, because later versions may add
    // fields.
    let published = validator(&EVENTS);
    let later = changed(wrong[5].1);
    assert!(published.is_valid(&later));
    for (what, change) in &wrong[..5] {
        assert!(!published.is_valid(&changed(change)), "{what}");
    }
}

#[test]
fn a_probes_result_has_the_same_description_in_both_schemas() {
    let names = |schema: &Value| -> BTreeSet<String> {
        let properties = schema["properties"].as_object().expect("properties");
        properties.keys().cloned().collect()
    };
    let without = |mut names: BTreeSet<String>, others: &[&str]| {
        for other in others {
            assert!(names.remove(*other), "{other}");
        }
        names
    };
    let of_events = &EVENTS["$defs"];
    assert_eq!(
        names(&of_events["probe_lane"]),
        without(names(&PROBE["$defs"]["lane"]), &["url"])
    );
    assert_eq!(
        names(&of_events["findings"]),
        without(
            names(&PROBE),
            &["schema", "url", "redirected_from", "requests", "phases"]
        )
    );
    assert_eq!(
        names(&of_events["findings"]["properties"]["identical"]),
        names(&PROBE["properties"]["identical"])
    );
    assert_eq!(of_events["verdict"], PROBE["$defs"]["verdict"]);
}

#[test]
fn a_hold_has_the_same_description_in_held_released_and_withdrawn() {
    let of = |name: &str| {
        let schema = &EVENTS["$defs"][name];
        assert_eq!(schema["properties"]["event"]["const"], name);
        (
            schema["required"].clone(),
            schema["properties"]["hold"].clone(),
        )
    };
    for name in ["released", "withdrawn"] {
        assert_eq!(of(name), of("held"));
    }
}
