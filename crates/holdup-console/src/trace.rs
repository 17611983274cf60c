//! The lanes and holds as a trace that Perfetto and Chrome's tracing page open: the Trace Event
//! Format, a JSON document of events whose times are microseconds.

use std::time::Duration;

use serde_json::{Value, json};

use super::board::Board;
use super::holds::Holds;
use super::lane::Lane;
use holdup_watch::{Hold, WorkerStatus};

/// The process id of all events.
const PROCESS: u32 = 1;

/// Everything that is shown now. Each worker is a thread of the trace, with its holds. Each request
/// is an asynchronous track, because requests overlap.
pub(super) fn trace(
    board: &Board,
    holds: &Holds,
    workers: &[WorkerStatus],
    now: Duration,
) -> Value {
    let mut events = vec![json!({
        "ph": "M", "pid": PROCESS, "name": "process_name", "args": {"name": "holdup"},
    })];
    for load in workers {
        events.push(json!({
            "ph": "M", "pid": PROCESS, "tid": thread(load.worker), "name": "thread_name",
            "args": {"name": format!("worker {}", load.worker)},
        }));
    }
    let lasting = holds.by_worker().into_values();
    events.extend(holds.over().chain(lasting).map(held_event));
    for lane in board.lanes() {
        lane_events(lane, now, &mut events);
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

/// Some viewers treat thread 0 as the idle thread, so ids start at 1.
fn thread(worker: usize) -> usize {
    worker + 1
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

fn held_event(hold: &Hold) -> Value {
    let name = match hold.culprits.as_slice() {
        [] => "held".to_owned(),
        [first, rest @ ..] => {
            let more = match rest.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            format!("held by {} {}{more}", first.method, first.route)
        }
    };
    json!({
        "ph": "X", "cat": "hold", "name": name, "pid": PROCESS, "tid": thread(hold.worker),
        "ts": micros(hold.started), "dur": micros(hold.duration),
        "args": {"sentence": hold.to_string()},
    })
}

fn lane_events(lane: &Lane, now: Duration, events: &mut Vec<Value>) {
    let name = format!("{} {}", lane.method, lane.route);
    let mut add = |phase: &str, name: &str, at: Duration, args: Value| {
        events.push(json!({
            "ph": phase, "cat": "request", "id": lane.number, "name": name, "pid": PROCESS,
            "tid": thread(lane.worker), "ts": micros(at), "args": args,
        }));
    };
    let came = lane.opened.saturating_sub(lane.waited.unwrap_or_default());
    let args = json!({"lane": lane.number, "path": lane.path, "worker": lane.worker});
    add("b", &name, came, args);
    if lane.waited.is_some() {
        add("b", "waiting to be read", came, json!({}));
        add("e", "waiting to be read", lane.opened, json!({}));
    }
    if let Some(answered) = lane.answered {
        add("n", "answered", answered, json!({"status": lane.status}));
    }
    for chunk in &lane.chunks {
        add("n", "chunk", chunk.0, json!({}));
    }
    let end = lane.ended.unwrap_or(now);
    add(
        "e",
        &name,
        end,
        json!({"status": lane.status, "finished": lane.ended.map(|_| lane.finished.is_some())}),
    );
}
