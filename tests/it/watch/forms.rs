//! Each form of blocking is seen; waiting without blocking is not.

use super::*;

#[test]
fn every_form_of_blocking_is_one_hold_with_its_route_and_part() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    for (path, route, part) in [
        ("/before", "/before", Part::Future),
        ("/between/7?q=1", "/between/{id}", Part::Future),
        ("/extractor", "/extractor", Part::Future),
        ("/drop", "/drop", Part::Future),
        ("/body", "/body", Part::Body),
        ("/lock", "/lock", Part::Future),
        ("/file", "/file", Part::Future),
        ("/inner/call", "/inner/call", Part::Call),
    ] {
        let hold = assert_held(&served, &watch, path, route, part);
        let cpu = hold.cpu.expect("Linux tells it");
        assert!(cpu < hold.duration / 2, "it waited: {hold}");
    }
    let computing = assert_held(&served, &watch, "/cpu", "/cpu", Part::Future);
    // What was not computing was not scheduled: nothing else is in that loop.
    let cpu = computing.cpu.expect("Linux tells it");
    let accounted = cpu + computing.descheduled.expect("Linux tells it");
    assert!(accounted * 10 >= computing.duration * 8, "{computing}");
}

#[test]
fn a_handler_that_awaits_holds_nobody_and_a_watch_that_saw_nothing_fails_the_test() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    let message = failure(&watch);
    assert!(message.contains("saw no request"), "{message}");

    let clients: Vec<_> = (0..20)
        .map(|_| {
            let address = served.address;
            thread::spawn(move || get(address, "/healthy").status)
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().expect("an answer"), 200);
    }
    watch.assert_no_holds();
}
