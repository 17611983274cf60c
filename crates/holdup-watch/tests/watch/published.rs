//! What is published: while a hold lasts, when it is over, and to which subscribers.

use std::path::Path;

use super::*;

#[test]
fn a_hold_is_published_while_it_lasts_with_the_number_of_other_open_requests() {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = {
        let (watch, gate) = (watch.clone(), gate.clone());
        serve(move || {
            App::new()
                .app_data(web::Data::new(gate.clone()))
                .route("/open", web::get().to(std::future::pending::<HttpResponse>))
                .route("/held", web::get().to(Gate::pass))
                .wrap(watch.clone())
        })
    };
    let mut events = watch.subscribe();
    let mut event = || {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match events.try_next() {
                Some(event @ (Event::Held(_) | Event::Released(_))) => return event,
                _ => pause(Duration::from_millis(2)),
            }
            assert!(Instant::now() < deadline, "nothing is published");
        }
    };
    let closed = gate.lock.lock().expect("nobody panics with it");
    let mut open = connect(served.address);
    open.write_all(b"GET /open HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("sent");
    // Answered behind it on the same worker, so /open has been read.
    assert_eq!(get(served.address, "/none").status, 404);
    let address = served.address;
    let client = thread::spawn(move || get(address, "/held").status);
    entered.recv().expect("the worker enters");

    let Event::Held(hold) = event() else {
        panic!("released before it was held")
    };
    assert_culprit(&hold.culprits[0], "/held", Part::Future);
    assert!(hold.ongoing && hold.waiting == 1, "{hold}");
    assert_eq!(hold.activity, Some(Activity::WaitingForLock), "{hold}");
    #[cfg(feature = "stacks")]
    {
        // The stack is there at once, unless the machine is too busy to run the thread.
        let deadline = Instant::now() + PATIENCE;
        let line = loop {
            if let Some(line) = watch.held_now()[0].lines.first() {
                break line.clone();
            }
            assert!(Instant::now() < deadline, "no stack is taken");
            pause(Duration::from_millis(2));
        };
        assert_eq!(line.function, "watch::Gate::pass", "{line}");
        assert_eq!(line.called.as_deref(), Some("std::sync::Mutex::lock"));
    }
    let now = watch.held_now();
    assert_eq!(now.len(), 1, "{now:?}");
    assert!(
        now[0].duration >= hold.duration && watch.holds().is_empty(),
        "{now:?}"
    );

    drop(closed);
    assert_eq!(client.join().expect("an answer"), 200);
    let Event::Released(hold) = event() else {
        panic!("published twice")
    };
    assert_culprit(&hold.culprits[0], "/held", Part::Future);
    assert!(!hold.ongoing && hold.waiting == 1, "{hold}");
    assert!(watch.held_now().is_empty());
    assert_eq!(watch.holds(), [hold]);
}

#[test]
fn after_a_flush_everything_is_told() {
    let told: Arc<std::sync::Mutex<Vec<Hold>>> = Arc::default();
    let watch = {
        let told = Arc::clone(&told);
        let tell = move |hold: &Hold| {
            // A callback may take its time.
            pause(Duration::from_millis(50));
            told.lock()
                .expect("nobody panics with it")
                .push(hold.clone());
        };
        Watch::new().on_hold(tell)
    };
    assert!(watch.flush(Duration::ZERO), "nothing has happened yet");
    let served = {
        let watch = watch.clone();
        serve(move || {
            App::new()
                .route("/blocks", web::get().to(between_awaits))
                .wrap(watch.clone())
        })
    };
    let mut events = watch.subscribe();
    get(served.address, "/blocks").body();
    drop(served);
    assert!(watch.flush(PATIENCE));
    // Nothing is waited for any more.
    let holds = watch.holds();
    let of_blocks = |hold: &&Hold| hold.culprits.iter().any(|it| it.route == "/blocks");
    assert!(holds.iter().any(|hold| of_blocks(&hold)), "{holds:?}");
    let told = told.lock().expect("nobody panics with it");
    let over: Vec<_> = told.iter().filter(|hold| !hold.ongoing).collect();
    assert_eq!(over, holds.iter().collect::<Vec<_>>());
    let mut ends = 0;
    while let Some(event) = events.try_next() {
        ends += u32::from(matches!(event, Event::Ended { .. }));
    }
    assert_eq!(ends, 1);
    assert!(watch.flush(PATIENCE), "again");
}

#[test]
fn a_flush_does_not_wait_for_a_hold_that_lasts() {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = {
        let (watch, gate) = (watch.clone(), gate.clone());
        // The task runs in the same iteration of the loop as the request.
        let spawns = |gate: web::Data<Gate>| async move {
            rt::spawn(async move { Gate::pass(gate).await });
            "done"
        };
        serve(move || {
            App::new()
                .app_data(web::Data::new(gate.clone()))
                .route("/spawns", web::get().to(spawns))
                .wrap(watch.clone())
        })
    };
    let closed = gate.lock.lock().expect("nobody panics with it");
    let _open = connect(served.address).write_all(b"GET /spawns HTTP/1.1\r\nHost: x\r\n\r\n");
    entered.recv().expect("the worker enters");
    pause(LONG);
    let begun = Instant::now();
    assert!(watch.flush(PATIENCE), "it lasts, and the flush does not");
    assert!(begun.elapsed() < PATIENCE / 2);
    drop(closed);
    assert!(watch.flush(Duration::MAX), "as long as it takes");
}

#[test]
fn a_flush_writes_the_record_that_rests() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("record-flushed");
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).expect("a folder");
    let watch = Watch::new().record(&folder).expect("it can be written");
    let served = app_with_every_form(&watch);
    get(served.address, "/between/1").body();
    assert!(watch.flush(PATIENCE));
    let written = || {
        let files = std::fs::read_dir(&folder).expect("a folder");
        let files = files.map(|file| file.expect("a file").path());
        let files = files.filter(|file| file.extension().is_some_and(|end| end == "jsonl"));
        let texts = files.map(|file| std::fs::read_to_string(file).expect("a file"));
        texts.collect::<String>()
    };
    assert!(written().contains("\"released\""), "{}", written());
    // Nothing happens for so long that the thread waits for the next event.
    pause(Duration::from_secs(4));
    assert!(watch.flush(PATIENCE));
    drop(served);
    assert!(watch.flush(PATIENCE));
}

#[test]
fn lanes_are_recorded_without_the_query_while_there_is_a_subscription() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    get(served.address, "/between/1");
    let mut events = watch.subscribe();
    drop(
        send(
            served.address,
            b"GET /body?secret=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .map(|mut reply| while let Ok(Some(_)) = reply.chunk() {}),
    );
    let deadline = Instant::now() + PATIENCE;
    let mut recorded = Vec::new();
    while !recorded
        .iter()
        .any(|event| matches!(event, Event::Ended { .. }))
    {
        match events.try_next() {
            // The body blocks, and a busy machine makes that long.
            Some(Event::Held(_) | Event::Updated(_) | Event::Released(_) | Event::Withdrawn(_)) => {
            }
            Some(event) => recorded.push(event),
            None => pause(Duration::from_millis(5)),
        }
        assert!(Instant::now() < deadline, "{recorded:?}");
    }
    let recorded: Vec<_> = recorded
        .iter()
        .map(|event| serde_json::to_value(event).expect("JSON"))
        .collect();
    let kinds: Vec<_> = recorded
        .iter()
        .map(|event| event["event"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        kinds,
        ["opened", "answered", "chunk", "chunk", "ended"],
        "{recorded:?}"
    );
    assert_eq!(
        (&recorded[0]["path"], &recorded[0]["route"]),
        (&"/body".into(), &"/body".into())
    );
    assert_eq!(
        (&recorded[2]["bytes"], &recorded[3]["bytes"]),
        (&5.into(), &6.into())
    );
    assert_eq!(recorded[4]["finished"], true);
    let names = [
        "opened_ms",
        "answered_ms",
        "chunk_ms",
        "chunk_ms",
        "ended_ms",
    ];
    let times: Vec<_> = recorded
        .iter()
        .zip(names)
        .map(|(event, name)| event[name].as_f64().expect("a time"))
        .collect();
    assert!(
        times.is_sorted() && times[3] - times[2] >= 250.0,
        "{times:?}"
    );
}

#[test]
fn a_worker_knows_its_number_and_held_now_shows_what_is_outside_of_requests() {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = {
        let (watch, gate) = (watch.clone(), gate.clone());
        serve(move || {
            let number = watch.worker();
            assert_eq!(number, watch.worker());
            let gate = gate.clone();
            App::new()
                .route(
                    "/number",
                    web::get().to(move || async move { number.to_string() }),
                )
                .route(
                    "/spawn",
                    web::get().to(move || {
                        let gate = web::Data::new(gate.clone());
                        async move {
                            rt::spawn(async move { drop(Gate::pass(gate).await) });
                            "done"
                        }
                    }),
                )
                .wrap(watch.clone())
        })
    };
    let number: usize = get(served.address, "/number")
        .body()
        .parse()
        .expect("a number");
    assert_ne!(watch.worker(), number, "the test's thread is another");
    let closed = gate.lock.lock().expect("nobody panics with it");
    get(served.address, "/spawn");
    entered.recv().expect("the task runs");
    let deadline = Instant::now() + PATIENCE;
    while watch.held_now().is_empty() {
        assert!(Instant::now() < deadline, "no hold is recorded");
        pause(Duration::from_millis(2));
    }
    let now = watch.held_now();
    assert_eq!(
        (now[0].worker, now[0].culprits.len()),
        (number, 0),
        "{now:?}"
    );
    drop(closed);
}
