//! Apps with several workers: which of them are held, and which are not.

use holdup_testkit::app::serve_on;
use holdup_testkit::workers::Connection;
use holdup_watch::Subscription;

use super::*;

/// An app whose workers know their numbers, and block at `/gate/{id}` until the test lets them go.
fn app(watch: &Watch, gate: &Gate, workers: usize) -> Served {
    let (watch, gate) = (watch.clone(), gate.clone());
    serve_on(workers, move || {
        let number = watch.worker();
        App::new()
            .app_data(web::Data::new(gate.clone()))
            .route(
                "/number",
                web::get().to(move || async move { number.to_string() }),
            )
            .route("/gate/{id}", web::get().to(Gate::pass))
            .route("/other/{id}", web::get().to(Gate::pass))
            .route("/block", web::get().to(before_the_first_await))
            .wrap(watch.clone())
    })
}

/// Waits until exactly `count` workers are held by requests, and returns these holds, ordered by worker. After
/// `PATIENCE`, returns the holds there are.
fn held(watch: &Watch, count: usize) -> Vec<Hold> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut held = watch.held_now();
        // On a busy machine, a worker without requests may be held as well.
        held.retain(|hold| !hold.culprits.is_empty());
        held.sort_unstable_by_key(|hold| hold.worker);
        if held.len() == count || Instant::now() > deadline {
            return held;
        }
        pause(Duration::from_millis(2));
    }
}

fn each_is_blamed_by_its_number(workers: usize) {
    let watch = Watch::new();
    let (gate, _entered) = Gate::new();
    let served = app(&watch, &gate, workers);
    let mut connections = Connection::to_each(served.address, workers);
    let numbers: Vec<_> = connections.iter().map(|one| one.worker).collect();
    assert_eq!(numbers, (0..workers).collect::<Vec<_>>());
    let all: Vec<_> = watch.workers().iter().map(|load| load.worker).collect();
    assert_eq!(all, numbers);

    for (before, connection) in connections.iter_mut().rev().enumerate() {
        connection.get("/block");
        let holds = holds(&watch, before + 1);
        assert_eq!(holds.len(), before + 1, "{holds:?}");
        let hold = &holds[before];
        assert_eq!(hold.worker, connection.worker, "{hold}");
        assert_culprit(&hold.culprits[0], "/block", Part::Future);
        let sentence = format!(" held worker {} for ", connection.worker);
        assert!(hold.to_string().contains(&sentence), "{hold}");
        // A worker keeps its number.
        assert_eq!(connection.get("/number"), connection.worker.to_string());
    }
}

#[test]
fn each_of_two_workers_is_blamed_by_its_number() {
    each_is_blamed_by_its_number(2);
}

#[test]
fn each_of_four_workers_is_blamed_by_its_number() {
    each_is_blamed_by_its_number(4);
}

#[test]
fn two_workers_of_four_are_held_at_once_and_the_others_answer() {
    let watch = Watch::new();
    let mut events = watch.subscribe();
    let (gate, entered) = Gate::new();
    let served = app(&watch, &gate, 4);
    let mut connections = Connection::to_each(served.address, 4);

    let closed = gate.lock.lock().expect("nobody panics with it");
    let clients: Vec<_> = [(3, "/other/3"), (1, "/gate/1")]
        .map(|(worker, path)| {
            let mut connection = connections.remove(worker);
            thread::spawn(move || connection.get(path))
        })
        .into();
    for _ in 0..2 {
        entered.recv().expect("the worker enters");
    }
    let now = held(&watch, 2);
    assert_eq!(now.len(), 2, "{now:?}");
    for (hold, worker, route) in [(&now[0], 1, "/gate/{id}"), (&now[1], 3, "/other/{id}")] {
        assert_eq!(hold.worker, worker, "{now:?}");
        // Further culprits are possible: requests that ran shortly before, in the same loop iteration.
        assert_culprit(&hold.culprits[0], route, Part::Future);
        assert!(hold.ongoing && hold.waiting == 0, "{hold}");
    }
    // The free workers keep answering, and each has only its own requests.
    for connection in &mut connections {
        assert_eq!(connection.get("/number"), connection.worker.to_string());
    }
    let load = watch.workers();
    let load: Vec<_> = load.iter().map(|load| (load.worker, load.open)).collect();
    assert_eq!(load, [(0, 0), (1, 1), (2, 0), (3, 1)]);

    let (gate, other) = ("/gate/{id}".to_owned(), "/other/{id}".to_owned());
    let both = [(1, gate), (3, other)];
    assert_eq!(published(&mut events, false), both);
    drop(closed);
    for client in clients {
        assert_eq!(client.join().expect("an answer"), "done");
    }
    assert_eq!(published(&mut events, true), both);
    assert_eq!(held(&watch, 0), []);
    assert_eq!(watch.workers().len(), 4);
}

/// The next two holds published, at their end (`over`) or their beginning: worker and route of the culprit.
fn published(events: &mut Subscription, over: bool) -> [(usize, String); 2] {
    let deadline = Instant::now() + PATIENCE;
    let mut holds = Vec::new();
    while holds.len() < 2 {
        let hold = match events.try_next() {
            Some(Event::Held(hold)) if !over => hold,
            Some(Event::Released(hold)) if over => hold,
            _ => {
                assert!(Instant::now() < deadline, "{holds:?}");
                pause(Duration::from_millis(2));
                continue;
            }
        };
        if let Some(culprit) = hold.culprits.first() {
            holds.push((hold.worker, culprit.route.clone()));
        }
    }
    holds.sort_unstable();
    holds.try_into().expect("two")
}

#[test]
fn two_workers_of_two_are_held_at_once_by_one_request_each() {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = app(&watch, &gate, 2);
    let mut connections = Connection::to_each(served.address, 2);

    let closed = gate.lock.lock().expect("nobody panics with it");
    let clients: Vec<_> = connections
        .drain(..)
        .map(|mut connection| {
            let path = format!("/gate/{}", connection.worker);
            thread::spawn(move || connection.get(&path))
        })
        .collect();
    for _ in 0..2 {
        entered.recv().expect("the worker enters");
    }
    let now = held(&watch, 2);
    let workers: Vec<_> = now.iter().map(|hold| hold.worker).collect();
    assert_eq!(workers, [0, 1], "{now:?}");
    let load: Vec<_> = watch.workers().iter().map(|load| load.open).collect();
    assert_eq!(load, [1, 1]);
    // Long enough to remain a hold after subtracting the time in which the machine ran something else.
    pause(LONG);
    drop(closed);
    for client in clients {
        client.join().expect("an answer");
    }
    let holds = holds(&watch, 2);
    let mut workers: Vec<_> = holds.iter().map(|hold| hold.worker).collect();
    workers.sort_unstable();
    assert_eq!(workers, [0, 1], "{holds:?}");
    let message = failure(&watch);
    for worker in ["worker 0", "worker 1"] {
        assert!(message.contains(worker), "{message}");
    }
}

#[test]
fn one_worker_of_two_is_held_and_the_other_one_is_free() {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = app(&watch, &gate, 2);
    let mut connections = Connection::to_each(served.address, 2);

    let closed = gate.lock.lock().expect("nobody panics with it");
    let mut blocked = connections.remove(1);
    let client = thread::spawn(move || blocked.get("/gate/1"));
    entered.recv().expect("the worker enters");
    let now = held(&watch, 1);
    let of: Vec<_> = now.iter().map(|hold| hold.worker).collect();
    assert_eq!(of, [1], "{now:?}");
    // No request waits for the held worker: the free one keeps answering.
    for _ in 0..20 {
        assert_eq!(connections[0].get("/number"), "0");
    }
    let load = watch.workers();
    let load: Vec<_> = load.iter().map(|load| (load.worker, load.open)).collect();
    assert_eq!(load, [(0, 0), (1, 1)]);
    // Long enough to remain a hold after subtracting the time in which the machine ran something else.
    pause(LONG);
    drop(closed);
    assert_eq!(client.join().expect("an answer"), "done");

    let holds = holds(&watch, 1);
    let [hold] = holds.as_slice() else {
        panic!("{holds:?}")
    };
    assert_eq!((hold.worker, hold.waiting), (1, 0), "{hold}");
    assert_culprit(&hold.culprits[0], "/gate/{id}", Part::Future);
    let message = failure(&watch);
    assert!(message.contains("GET /gate/{id} (future, "), "{message}");
    assert!(message.contains(" worker 1 "), "{message}");
    assert!(!message.contains("GET /number"), "{message}");
}

fn what_awaits_holds_none_of(workers: usize) {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        serve_on(workers, move || {
            let number = watch.worker();
            App::new()
                .route(
                    "/number",
                    web::get().to(move || async move { number.to_string() }),
                )
                .route("/healthy", web::get().to(healthy))
                .wrap(watch.clone())
        })
    };
    let clients: Vec<_> = Connection::to_each(served.address, workers)
        .into_iter()
        .flat_map(|mut connection| {
            let address = served.address;
            let kept = thread::spawn(move || (0..3).all(|_| connection.get("/healthy") == "done"));
            let new = thread::spawn(move || get(address, "/healthy").body() == "done");
            [kept, new]
        })
        .collect();
    for client in clients {
        assert!(client.join().expect("an answer"));
    }
    assert_eq!(watch.workers().len(), workers);
    watch.assert_no_holds();
}

#[test]
fn a_handler_that_awaits_holds_none_of_two_workers() {
    what_awaits_holds_none_of(2);
}

#[test]
fn a_handler_that_awaits_holds_none_of_four_workers() {
    what_awaits_holds_none_of(4);
}
