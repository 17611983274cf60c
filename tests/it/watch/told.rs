//! What is told: while a hold lasts, when it is over, and to whom.

use super::*;

#[test]
fn a_hold_is_told_while_it_lasts_with_the_other_requests_that_are_open() {
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
            assert!(Instant::now() < deadline, "nothing is told");
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
        // At once, unless the machine is so busy that the thread had no turn.
        let deadline = Instant::now() + PATIENCE;
        let line = loop {
            if let Some(line) = watch.held_now()[0].lines.first() {
                break line.clone();
            }
            assert!(Instant::now() < deadline, "no stack is taken");
            pause(Duration::from_millis(2));
        };
        assert_eq!(line.function, "it::watch::Gate::pass", "{line}");
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
        panic!("told twice")
    };
    assert_culprit(&hold.culprits[0], "/held", Part::Future);
    assert!(!hold.ongoing && hold.waiting == 1, "{hold}");
    assert!(watch.held_now().is_empty());
    assert_eq!(watch.holds(), [hold]);
}

#[test]
fn lanes_are_recorded_while_somebody_listens_without_the_query() {
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
    let mut seen = Vec::new();
    while !seen
        .iter()
        .any(|event| matches!(event, Event::Ended { .. }))
    {
        match events.try_next() {
            Some(Event::Held(_) | Event::Released(_)) => {}
            Some(event) => seen.push(event),
            None => pause(Duration::from_millis(5)),
        }
        assert!(Instant::now() < deadline, "{seen:?}");
    }
    let seen: Vec<_> = seen
        .iter()
        .map(|event| serde_json::to_value(event).expect("JSON"))
        .collect();
    let kinds: Vec<_> = seen
        .iter()
        .map(|event| event["event"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        kinds,
        ["opened", "answered", "chunk", "chunk", "ended"],
        "{seen:?}"
    );
    assert_eq!(
        (&seen[0]["path"], &seen[0]["route"]),
        (&"/body".into(), &"/body".into())
    );
    assert_eq!(
        (&seen[2]["bytes"], &seen[3]["bytes"]),
        (&5.into(), &6.into())
    );
    assert_eq!(seen[4]["finished"], true);
    let names = [
        "opened_ms",
        "answered_ms",
        "chunk_ms",
        "chunk_ms",
        "ended_ms",
    ];
    let times: Vec<_> = seen
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
        assert!(Instant::now() < deadline, "nothing is seen");
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

#[test]
fn the_labs_blocking_countdown_is_exactly_one_hold_and_the_next_client_another() {
    let server = Server::start(&[]);
    let mut first = get(server.address, "/blocking?from=3&period=200ms");
    first.tick().expect("a first tick");
    let address = server.address;
    let second = thread::spawn(move || get(address, "/blocking?from=2&period=200ms").ticks());
    // Told while the first still counts: six tenths of a second, and it says so after one.
    server.logged("the first hold", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.starts_with("GET /blocking (body, ") && text.contains(" holds worker 0 for ")
    });
    assert_eq!(first.ticks().len(), 3);
    assert_eq!(second.join().expect("read to the end").len(), 3);
    let ended = |line: &serde_json::Value| line["duration_ms"].as_f64();
    let two = server.logged_when("the ends of two holds", |lines| {
        let two: Vec<_> = lines
            .iter()
            .filter(|line| ended(line).is_some())
            .cloned()
            .collect();
        (two.len() >= 2).then_some(two)
    });
    assert_eq!(two.len(), 2, "{two:?}");
    // The first poll ends at once, and counts only if a tick of the clock fell into it.
    for (line, polls, least) in [(&two[0], [4, 5], 590.0), (&two[1], [3, 4], 390.0)] {
        let text = line["message"].as_str().expect("text");
        let named = |n: &u32| text.starts_with(&format!("GET /blocking (body, {n} polls"));
        assert!(
            polls.iter().any(named) && text.contains(" held worker 0 for "),
            "{text}"
        );
        assert!(
            ended(line).is_some_and(|duration| duration >= least),
            "{text}"
        );
    }
}

#[test]
fn a_hold_that_lasts_is_logged_again_after_a_second() {
    let server = Server::start(&[]);
    let mut blocking = get(server.address, "/blocking?from=30&period=1s");
    blocking.tick().expect("a first tick");
    let lasted = |line: &serde_json::Value| {
        let text = line["message"].as_str()?;
        let (_, lasted) = text.split_once(" holds worker 0 for ")?;
        lasted
            .split_once(" so far")
            .map(|(lasted, _)| lasted.to_owned())
    };
    let told = server.logged_when("the hold, twice", |lines| {
        let told: Vec<_> = lines.iter().filter_map(lasted).collect();
        (told.len() >= 2).then_some(told)
    });
    // While it lasts, which is half a minute. On a busy machine the first look may come late.
    let seconds = |text: &String| match text.split_once(' ') {
        Some((number, "ms")) => number.parse().map(|number: f64| number / 1000.0),
        Some((number, "s")) => number.parse(),
        _ => panic!("{told:?}"),
    };
    let lasted: Vec<_> = told
        .iter()
        .map(|text| seconds(text).expect("a number"))
        .collect();
    let mark = [1.0, 10.0].into_iter().find(|mark| lasted[0] < *mark);
    let mark = mark.expect("it is looked at within ten seconds");
    assert!(lasted[1] >= mark, "{told:?}");
}

#[test]
fn the_metrics_page_answers_while_the_worker_is_held() {
    let server = Server::start(&[]);
    let metrics = server.console();
    let mut blocking = get(server.address, "/blocking?from=30&period=1s");
    blocking.tick().expect("a first tick");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = get(metrics, "/metrics").body();
        if page.contains("\nholdup_workers_held 1\n") {
            assert!(page.contains("# TYPE holdup_polls_total counter"), "{page}");
            break;
        }
        assert!(Instant::now() < deadline, "{page}");
        pause(Duration::from_millis(20));
    }
    // The countdown is left long before its end.
}
