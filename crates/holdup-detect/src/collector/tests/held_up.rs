//! What requests lose to others, to the nanosecond.

use holdup_model::{Spent, Victim};

use super::scene::Remote;
use super::*;

/// A request's time in milliseconds: running, waiting, and by whom it was held up for how long.
type Split<'a> = (u128, u128, Vec<(&'a str, u128)>);

fn by(spent: &Spent) -> Vec<(String, u128)> {
    let blames = spent.by.iter();
    let name = blames.map(|blame| {
        let by = blame.by.as_ref().map(|by| by.route.clone());
        (by.unwrap_or_default(), blame.held_up.as_millis())
    });
    name.collect()
}

/// Ends the request for `/r`, and asserts what its time was spent on. `""` stands for what is no route.
#[track_caller]
fn assert_spent(scene: &mut Scene, worker: &Remote, expected: &Split<'_>) {
    worker.ends_request("/r");
    assert_ended(scene, expected);
}

#[track_caller]
fn assert_ended(scene: &mut Scene, (running, waiting, held_up): &Split<'_>) {
    let ended = scene.ended();
    let found = ended.iter().find(|(route, ..)| route == "/r");
    let (_, age, spent) = found.expect("it has ended");
    let times = (spent.running.as_millis(), spent.waiting.as_millis());
    assert_eq!(times, (*running, *waiting), "{spent:?}");
    let expected: Vec<_> = held_up
        .iter()
        .map(|&(by, ms)| (by.to_owned(), ms))
        .collect();
    assert_eq!(by(spent), expected, "{spent:?}");
    assert_eq!(spent.running + spent.waiting + spent.held_up, *age);
}

/// A worker with a request for `/r` that has waited for 50 ms.
fn waiting() -> (Scene, Remote) {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    worker.waits("/r");
    scene.pass(50);
    (scene, worker)
}

/// A poll of `route` that takes this long, and then the next loop iteration.
fn blocks(scene: &mut Scene, worker: &Remote, route: &'static str, ms: u64) {
    worker.enter(route);
    scene.pass(ms);
    worker.leave();
    worker.iterate();
}

#[test]
fn what_the_loop_finds_after_a_hold_was_held_up_for_all_of_it() {
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    worker.wakes("/r");
    worker.looked();
    assert_spent(&mut scene, &worker, &(0, 50, vec![("/a", 300)]));
}

#[test]
fn what_is_woken_in_a_hold_was_held_up_from_then_on() {
    let (mut scene, worker) = waiting();
    worker.enter("/a");
    scene.pass(100);
    worker.wakes_from_outside("/r");
    scene.pass(200);
    worker.leave();
    worker.iterate();
    // It is woken once more by the loop, which changes nothing.
    worker.wakes("/r");
    worker.looked();
    assert_spent(&mut scene, &worker, &(0, 150, vec![("/a", 200)]));
}

#[test]
fn what_another_request_wakes_was_held_up_from_then_on() {
    let (mut scene, worker) = waiting();
    worker.enter("/a");
    scene.pass(100);
    worker.wakes("/r");
    scene.pass(200);
    worker.leave();
    assert_spent(&mut scene, &worker, &(0, 150, vec![("/a", 200)]));

    // Right after a hold: what the request waited for has only just happened.
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    worker.looked();
    worker.enter("/b");
    worker.wakes("/r");
    worker.leave();
    assert_spent(&mut scene, &worker, &(0, 350, vec![]));
}

#[test]
fn what_happens_from_outside_right_after_a_hold_was_not_held_up() {
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    worker.wakes_from_outside("/r");
    worker.looked();
    assert_spent(&mut scene, &worker, &(0, 350, vec![]));
}

#[test]
fn only_the_part_of_a_hold_counts_since_the_request_began_to_wait() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    worker.enter("/a");
    scene.pass(150);
    worker.leave();
    worker.waits("/r");
    blocks(&mut scene, &worker, "/b", 170);
    worker.wakes("/r");
    worker.looked();
    assert_spent(&mut scene, &worker, &(0, 0, vec![("/b", 170)]));
}

#[test]
fn polls_that_find_the_request_waiting_as_before_change_nothing() {
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    // Something else woke the task, before the loop has looked at its sockets. The poll is recorded, because it is
    // in the hold's busy period.
    worker.enter("/a");
    scene.pass(20);
    worker.leave();
    worker.waits("/r");
    scene.pass(10);
    worker.waits("/r");
    worker.iterate();
    worker.wakes("/r");
    worker.looked();
    let expected = (0, 50, vec![("/a", 320), ("", 10)]);
    assert_spent(&mut scene, &worker, &expected);
}

#[test]
fn a_look_changes_nothing() {
    for looks in [false, true] {
        let (mut scene, worker) = waiting();
        worker.enter("/a");
        scene.pass(300);
        if looks {
            scene.shared.look(false, None);
        }
        worker.leave();
        if looks {
            worker.waits("/r");
        }
        worker.iterate();
        worker.wakes("/r");
        worker.looked();
        assert_spent(&mut scene, &worker, &(0, 50, vec![("/a", 300)]));
    }
}

#[test]
fn a_request_is_not_held_up_by_its_own_polls() {
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    // A branch of its future computes, and the others wait as before.
    scene.works_and_waits(&worker, "/r", 40);
    blocks(&mut scene, &worker, "/a", 200);
    scene.works_and_waits(&worker, "/r", 60);
    worker.iterate();
    worker.wakes("/r");
    worker.looked();
    assert_spent(&mut scene, &worker, &(100, 50, vec![("/a", 500)]));
}

#[test]
fn a_request_that_works_often_without_being_woken_loses_the_time_since_at_most() {
    let (mut scene, worker) = waiting();
    for _ in 0..100 {
        scene.works_and_waits(&worker, "/r", 10);
    }
    blocks(&mut scene, &worker, "/a", 300);
    worker.wakes("/r");
    worker.looked();
    assert_spent(&mut scene, &worker, &(1000, 50, vec![("/a", 300)]));
}

#[test]
fn a_hold_that_ended_before_the_latest_look_does_not_count() {
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    // The request is not ready yet. What the look has found holds the worker again.
    worker.looked();
    blocks(&mut scene, &worker, "/b", 200);
    worker.wakes("/r");
    worker.looked();
    assert_spent(&mut scene, &worker, &(0, 350, vec![("/b", 200)]));

    // Found by the first look, and polled only after the second hold.
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    worker.wakes("/r");
    worker.looked();
    blocks(&mut scene, &worker, "/b", 200);
    worker.looked();
    let expected = (0, 50, vec![("/a", 300), ("/b", 200)]);
    assert_spent(&mut scene, &worker, &expected);

    // Found only by the second look, which follows at once: it was not ready before.
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    worker.looked();
    worker.found_ran();
    scene.pass(25);
    worker.wakes("/r");
    worker.looked();
    assert_spent(&mut scene, &worker, &(0, 375, vec![]));

    // Woken by a task that the look has found, such as that of a connection.
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    worker.looked();
    worker.wakes("/r");
    worker.found_ran();
    assert_spent(&mut scene, &worker, &(0, 50, vec![("/a", 300)]));

    // Two looks later, no hold counts.
    let (mut scene, worker) = waiting();
    blocks(&mut scene, &worker, "/a", 300);
    worker.looked();
    worker.looked();
    scene.pass(25);
    worker.wakes("/r");
    assert_spent(&mut scene, &worker, &(0, 375, vec![]));
}

#[test]
fn a_body_whose_client_reads_slowly_is_held_up_by_holds_only() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    worker.waits("/r");
    worker.sends("/r");
    // A timer of its stream fires, but nobody asks for the next chunk.
    scene.pass(50);
    worker.wakes("/r");
    scene.pass(10_000);
    worker.sends("/r");
    blocks(&mut scene, &worker, "/a", 300);
    worker.looked();
    worker.sends("/r");
    assert_spent(&mut scene, &worker, &(0, 10_050, vec![("/a", 300)]));
}

#[test]
fn a_caller_that_blocks_and_then_asks_for_the_next_chunk_holds_nobody_up() {
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    worker.sends("/r");
    scene.pass(25);
    scene.pass(300);
    worker.iterate();
    worker.looked();
    assert_spent(&mut scene, &worker, &(0, 325, vec![]));
}

#[test]
fn what_holds_the_worker_outside_of_requests_is_no_route() {
    let (mut scene, worker) = waiting();
    worker.iterate();
    // The heartbeat is asked for with the next sample.
    scene.pass(25);
    scene.pass(300);
    worker.iterate();
    worker.wakes("/r");
    worker.looked();
    assert_spent(&mut scene, &worker, &(0, 75, vec![("", 300)]));

    // A poll below the threshold, and a task that was spawned: a hold only together.
    let (mut scene, worker) = waiting();
    worker.enter("/a");
    scene.pass(30);
    worker.leave();
    scene.pass(200);
    worker.iterate();
    worker.wakes("/r");
    worker.looked();
    let expected = (0, 50, vec![("", 200), ("/a", 30)]);
    assert_spent(&mut scene, &worker, &expected);
}

#[test]
fn a_loop_that_turns_without_looking_holds_up_what_it_finds_late() {
    for (pieces, lost) in [(5, Some(150)), (3, None)] {
        let (mut scene, worker) = waiting();
        worker.is_not_looking();
        for _ in 0..pieces {
            blocks(&mut scene, &worker, "/pieces", 30);
        }
        worker.wakes("/r");
        worker.looked();
        let by = lost.map(|lost| ("/pieces", lost)).into_iter().collect();
        let waited = 50 + 30 * pieces - lost.unwrap_or(0);
        assert_spent(&mut scene, &worker, &(0, waited, by));
    }
}

#[test]
fn a_request_that_is_dropped_was_held_up_if_it_was_woken() {
    for (is_woken, expected) in [
        (true, (0, 150, vec![("/a", 200)])),
        (false, (0, 350, vec![])),
    ] {
        let (mut scene, worker) = waiting();
        worker.enter("/a");
        scene.pass(100);
        if is_woken {
            worker.wakes_from_outside("/r");
        }
        scene.pass(200);
        worker.leave();
        worker.drops("/r");
        assert_ended(&mut scene, &expected);
    }
}

#[test]
fn the_losses_of_a_worker_that_ends_are_counted() {
    let (mut scene, worker) = waiting();
    worker.enter("/a");
    worker.wakes_from_outside("/r");
    scene.pass(300);
    worker.leave();
    worker.drops("/r");
    worker.ends();
    scene.look();
    let victims = scene.shared.losses.victims();
    let told = |victim: &Victim| (victim.requests, victim.held_up.as_millis());
    assert_eq!(victims.iter().map(told).collect::<Vec<_>>(), [(1, 300)]);
    assert!(scene.shared.workers.have_seen("GET", "/r"));
    assert!(!scene.shared.workers.have_seen("GET", "/b"));
}

#[test]
fn no_route_is_to_blame_while_the_process_is_stopped() {
    let (mut scene, worker) = waiting();
    worker.enter("/a");
    worker.wakes_from_outside("/r");
    scene.pass(120);
    scene.pass_late(25, 400);
    worker.leave();
    let expected = (0, 50, vec![("", 425), ("/a", 120)]);
    assert_spent(&mut scene, &worker, &expected);
    let route = holdup_model::RouteName::new("GET", "/r");
    let (certain, _) = scene.shared.losses.longest(&route).expect("a loss");
    assert_eq!(certain.as_millis(), 120);
}
