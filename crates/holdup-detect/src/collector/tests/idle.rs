//! A worker that nobody has asked for a long time.

use super::scene::{Scene, in_ms};

#[test]
fn what_a_worker_computed_before_it_was_asked_is_no_part_of_a_later_hold() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    // Nobody asks it for a long time.
    scene.advance(10_000);
    scene.compute(500);
    scene.pass(10);
    scene.compute(30);
    scene.pass(150);
    worker.iterate();
    let hold = &scene.shared.holds()[0].hold;
    let cpu = hold.cpu.map(|cpu| cpu.as_millis());
    assert_eq!((in_ms(hold).2, cpu), (150, Some(30)));
}

#[test]
fn a_collector_that_was_woken_is_late_from_then_on() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    // It dozes, and the process is stopped right after a request has woken it.
    scene.dozes(200);
    worker.enter("/report");
    scene.advance(120);
    scene.look();
    worker.leave();
    worker.iterate();
    assert!(scene.events().is_empty() && scene.shared.holds().is_empty());
    // It dozes, and nothing else happens than that it is woken in time.
    scene.dozes(200);
    worker.enter("/report");
    scene.look();
    scene.pass(120);
    assert_eq!(scene.events().len(), 1);
    worker.leave();
}
