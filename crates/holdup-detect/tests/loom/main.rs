//! Runs what several threads share under loom, in every order of its loads and stores that the memory model allows:
//! the worker's cell, the state of an open request, and its wake-up.

#[allow(dead_code, reason = "only what the tests need of it")]
#[path = "../../src/cell.rs"]
mod cell;
mod cell_states;
#[allow(dead_code, reason = "only what the tests need of it")]
#[path = "../../src/open_state.rs"]
mod open_state;
mod request_states;
mod sync;
#[path = "../../src/version.rs"]
mod version;
#[allow(dead_code, reason = "only what the tests need of it")]
#[path = "../../src/wake_up.rs"]
mod wake_up;
mod wake_ups;

/// How often loom interrupts threads at most. Two are enough for the tests to fail if any of the cell's rules
/// is broken; with three, the tests take half a minute.
const INTERRUPTIONS: usize = 2;

fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(INTERRUPTIONS);
    builder.check(run);
}
