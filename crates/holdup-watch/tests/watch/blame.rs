//! Which request is blamed for a hold, and when none is.

use super::*;

#[test]
fn a_spawned_task_that_blocks_is_a_hold_without_culprits() {
    let watch = Watch::new();
    let served = app_with_every_form(&watch);
    // This thread is no worker by that, so it counts what nobody is blamed for.
    watch.worker();
    // The watch's heartbeat must run on the worker before the task does.
    get(served.address, "/none");
    get(served.address, "/spawned");
    let holds = holds(&watch, 1);
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].culprits, [], "{}", holds[0]);
    assert!(holds[0].duration >= LONG, "{}", holds[0]);
    assert!(
        holds[0]
            .to_string()
            .starts_with("something outside the watched requests held")
    );
    let message = failure(&watch);
    assert!(message.contains("something outside"), "{message}");
}

#[test]
fn a_spawned_task_that_blocks_is_a_hold_even_when_its_request_resumes_in_the_same_iteration() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        let awaits = async || {
            rt::spawn(async { block() }).await.expect("it ends");
            "done"
        };
        let awaits_and_blocks = async || {
            rt::spawn(async { block() }).await.expect("it ends");
            block();
            "done"
        };
        serve(move || {
            App::new()
                .route("/awaits", web::get().to(awaits))
                .route("/awaits-and-blocks", web::get().to(awaits_and_blocks))
                .wrap(watch.clone())
        })
    };
    // The watch's heartbeat must run on the worker before the task does.
    get(served.address, "/none");
    get(served.address, "/awaits");
    assert_eq!(holds(&watch, 1)[0].culprits, []);
    get(served.address, "/awaits-and-blocks");
    let holds = holds(&watch, 3);
    assert_eq!(holds.len(), 3, "{holds:?}");
    assert_eq!(holds[1].culprits, [], "{}", holds[1]);
    assert_culprit(&holds[2].culprits[0], "/awaits-and-blocks", Part::Future);
    assert!(holds[1].started + holds[1].duration <= holds[2].started + TICK);
}

#[test]
fn ten_requests_of_one_loop_iteration_are_one_hold_with_ten_culprits() {
    let watch = Watch::new();
    let (gate, entered) = Gate::new();
    let served = {
        let (watch, gate) = (watch.clone(), gate.clone());
        serve(move || {
            let slow = async || {
                pause(Duration::from_millis(15));
                "done"
            };
            App::new()
                .app_data(web::Data::new(gate.clone()))
                .route("/slow", web::get().to(slow))
                .route("/gate", web::get().to(Gate::pass))
                .wrap(watch.clone())
        })
    };
    // Ten connections that the worker has accepted already, so it reads all ten requests in one iteration.
    let request = format!("GET /slow HTTP/1.1\r\nHost: {}\r\n\r\n", served.address);
    let mut connections: Vec<_> = (0..10)
        .map(|_| {
            let mut connection = connect(served.address);
            connection.write_all(request.as_bytes()).expect("sent");
            let mut first = [0; 12];
            std::io::Read::read_exact(&mut connection, &mut first).expect("an answer");
            connection
        })
        .collect();
    // The requests arrive while the worker is blocked.
    let closed = gate.lock.lock().expect("nobody panics with it");
    let address = served.address;
    let client = thread::spawn(move || get(address, "/gate").status);
    entered.recv().expect("the worker enters");
    for connection in &mut connections {
        connection.write_all(request.as_bytes()).expect("sent");
    }
    drop(closed);
    assert_eq!(client.join().expect("an answer"), 200);

    let of_slow = |culprit: &&Culprit| culprit.route == "/slow" && culprit.part == Part::Future;
    let ten = |hold: &&Hold| hold.culprits.iter().filter(of_slow).count() == 10;
    let deadline = Instant::now() + PATIENCE;
    while !watch.holds().iter().any(|hold| ten(&hold)) {
        assert!(Instant::now() < deadline, "{:?}", watch.holds());
        pause(Duration::from_millis(5));
    }
    let holds = watch.holds();
    let hold = holds.iter().find(ten).expect("it was there");
    assert!(hold.duration + TICK >= Duration::from_millis(150), "{hold}");
}

/// Panics without a message: with `RUST_BACKTRACE=1`, printing one takes the worker for longer than the
/// threshold, and that is a hold of its own.
async fn panics_silently() -> HttpResponse {
    std::panic::resume_unwind(Box::new("on purpose"))
}

#[test]
fn it_works_nested_twice_compressed_and_after_a_panic_and_on_an_upgrade() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        serve(move || {
            App::new()
                .service(
                    web::scope("/api/{version}")
                        .wrap(watch.clone())
                        .service(web::scope("/deep").route("/{id}", web::get().to(between_awaits))),
                )
                .route("/body", web::get().to(in_the_body))
                .route("/panics", web::get().to(panics_silently))
                .route(
                    "/fails",
                    web::get().to(async || {
                        block();
                        Err::<HttpResponse, _>(actix_web::error::ErrorImATeapot("on purpose"))
                    }),
                )
                .route(
                    "/upgrade",
                    web::get().to(async || {
                        HttpResponse::SwitchingProtocols()
                            .upgrade("echo")
                            .streaming(stream! {
                                yield Ok::<_, actix_web::Error>(Bytes::from_static(b"hello"));
                                block();
                                yield Ok(Bytes::from_static(b"bye"));
                            })
                    }),
                )
                .wrap(Compress::default())
                .wrap(watch.clone())
        })
    };
    send(served.address, b"GET /panics HTTP/1.1\r\nHost: x\r\n\r\n")
        .err()
        .expect("no answer");
    let hold = assert_held(
        &served,
        &watch,
        "/api/v1/deep/9",
        "/api/{version}/deep/{id}",
        Part::Future,
    );
    assert_eq!(
        hold.culprits[0].polls, 1,
        "counted once, though watched twice: {hold}"
    );
    assert_held(&served, &watch, "/fails", "/fails", Part::Future);

    let before = holds(&watch, 0).len();
    let request = b"GET /body HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n";
    let mut reply = send(served.address, request).expect("an answer");
    assert_eq!(reply.headers["content-encoding"], "gzip");
    while reply.chunk().is_ok_and(|chunk| chunk.is_some()) {}
    assert_culprit(
        &holds(&watch, before + 1)[before].culprits[0],
        "/body",
        Part::Body,
    );

    let request =
        b"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let reply = send(served.address, request).expect("an answer");
    assert_eq!(reply.status, 101);
    assert_culprit(
        &holds(&watch, before + 2)[before + 1].culprits[0],
        "/upgrade",
        Part::Body,
    );

    // A path that matches no route is answered, and holds nobody.
    assert_eq!(get(served.address, "/nowhere/1").status, 404);
    assert_eq!(watch.holds().len(), before + 2);
}

#[test]
fn an_assertion_right_after_the_answer_fails_for_the_hold() {
    for _ in 0..20 {
        let watch = Watch::new().threshold(Duration::from_millis(20));
        let served = {
            let watch = watch.clone();
            let handler = async || {
                pause(LONG / 2);
                "done"
            };
            serve(move || {
                App::new()
                    .route("/", web::get().to(handler))
                    .wrap(watch.clone())
            })
        };
        get(served.address, "/");
        failure(&watch);
    }
}

#[test]
fn a_handler_is_not_blamed_for_the_task_that_it_spawned() {
    let watch = Watch::new();
    let served = {
        let watch = watch.clone();
        let handler = async || {
            rt::spawn(async { pause(LONG * 2) });
            pause(Duration::from_millis(12));
            "done"
        };
        serve(move || {
            App::new()
                .route("/kick", web::get().to(handler))
                .wrap(watch.clone())
        })
    };
    let mut recorded = 0;
    let hold = loop {
        get(served.address, "/kick");
        let hold = holds(&watch, recorded + 1).swap_remove(recorded);
        // A busy machine may keep the handler itself from running for the threshold.
        if hold.descheduled < Some(LONG / 5) {
            break hold;
        }
        recorded += 1;
    };
    assert_eq!(hold.culprits, [], "{hold}");
}

#[test]
fn a_second_app_of_one_watch_is_watched_too_and_by_its_own_routes() {
    let watch = Watch::new();
    let mut events = watch.subscribe();
    for route in ["/first/{id}", "/{any}/second"] {
        let served = {
            let watch = watch.clone();
            let handler = async || {
                block();
                "done"
            };
            serve(move || {
                App::new()
                    .route(route, web::get().to(handler))
                    .wrap(watch.clone())
            })
        };
        get(served.address, "/first/second");
        let deadline = Instant::now() + PATIENCE;
        let released = loop {
            match events.try_next() {
                Some(Event::Released(hold)) => break hold,
                _ => pause(Duration::from_millis(2)),
            }
            assert!(Instant::now() < deadline, "{route}: no hold is published");
        };
        assert_eq!(released.culprits[0].route, route);
    }
}
